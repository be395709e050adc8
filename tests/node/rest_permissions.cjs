// Rows of permissions with the official REST library, and a page on the official SDK that is judged by them while it runs.
// Arguments: base URL, account SID, key SID, secret, access token of the page, its identity, name of the document.
'use strict';
const assert = require('node:assert/strict');
const site = require('./rest_site.cjs');

const [base, account, key, secret, token, identity, name] = process.argv.slice(2);

async function refused(promise, status, code) {
  const error = await promise.then(() => assert.fail('it was not refused'), (error) => error);
  assert.deepEqual([error.status, error.code], [status, code], error.message);
}

async function main() {
  const service = site.service(base, account, key, secret);
  assert.equal((await service.fetch()).aclEnabled, true);
  const { sid } = await service.documents.create({ uniqueName: name, data: { n: 0 } });
  const permissions = service.documents(sid).documentPermissions;
  assert.deepEqual(await permissions.list(), []);

  const row = await permissions(identity).update({ read: true, write: false, manage: false });
  assert.deepEqual([row.read, row.write, row.manage], [true, false, false]);
  assert.deepEqual([row.identity, row.documentSid, row.accountSid], [identity, sid, account]);
  assert.equal((await permissions(identity).fetch()).url, row.url);
  for (let n = 0; n < 5; n += 1) await permissions(`other ${n}`).update({ read: false, write: false, manage: true });
  assert.equal((await permissions.list({ pageSize: 2 })).length, 6);
  assert.equal(await permissions('other 0').remove(), true);
  await refused(permissions('other 0').fetch(), 404, 20404);
  await refused(permissions('other 0').remove(), 404, 20404);

  const page = site.page(base, token);
  const document = await page.document({ id: name, mode: 'open_existing' });
  const next = (event) => new Promise((resolve) => document.once(event, resolve));
  let wait = next('updated');
  await service.documents(name).update({ data: { n: 1 } });
  assert.equal((await wait).data.n, 1);
  await refused(document.set({ n: 2 }), 403, 54007);
  await permissions(identity).update({ read: true, write: true, manage: false });
  assert.deepEqual(await document.set({ n: 3 }), { n: 3 });

  // It loses its rights in the middle: the SDK hears so by itself, and nothing of what is written afterwards.
  const heard = [];
  document.on('updated', ({ data }) => heard.push(data.n));
  wait = next('failure');
  await permissions(identity).update({ read: false, write: false, manage: false });
  await service.documents(name).update({ data: { n: 4 } });
  assert.equal((await wait).status, 403);
  await refused(document.set({ n: 5 }), 403, 54007);
  assert.deepEqual(heard, []);
  console.log('all as the libraries expect');
  await page.shutdown();
}

site.run(main, 60_000);
