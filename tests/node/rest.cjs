// The official REST library (`twilio` on npm) against the server. Arguments: base URL, account SID, key SID, secret.
// Prints one line when all went well; throws otherwise.
'use strict';
const assert = require('node:assert/strict');
const twilio = require('twilio');

const [base, account, key, secret] = process.argv.slice(2);

async function refused(promise, status, code) {
  const error = await promise.then(() => assert.fail('it was not refused'), (error) => error);
  assert.deepEqual([error.status, error.code], [status, code], error.message);
  assert.equal(error.moreInfo, `https://www.twilio.com/docs/errors/${code}`);
}

async function main() {
  const client = twilio(key, secret, { accountSid: account });
  // The library has options for Twilio's own regions only; the address of a product is a plain property.
  client.sync.baseUrl = base;
  const services = await client.sync.v1.services.list();
  assert.equal(services.length, 1);
  assert.match(services[0].sid, /^IS/);
  const service = client.sync.v1.services('default');
  assert.equal((await service.fetch()).sid, services[0].sid);

  // Create, and what it says.
  const data = { step: 'welcome', text: 'žluťoučký kůň & + % = 🐴' };
  const made = await service.documents.create({ uniqueName: 'Session_rest', data, ttl: 3600 });
  assert.match(made.sid, /^ET[0-9a-f]{32}$/);
  assert.deepEqual([made.uniqueName, made.accountSid, made.createdBy], ['Session_rest', account, 'system']);
  assert.deepEqual(made.data, data);
  assert(made.dateExpires - made.dateCreated === 3600_000, `${made.dateExpires}`);
  assert(made.url.startsWith(`${base}/v1/Services/${services[0].sid}/Documents/ET`), made.url);
  await refused(service.documents.create({ uniqueName: 'Session_rest' }), 409, 54301);
  assert.deepEqual((await service.documents.create({})).data, {});

  // Fetch by name and by SID.
  assert.equal((await service.documents('Session_rest').fetch()).sid, made.sid);
  const found = await service.documents(made.sid).fetch();
  assert.deepEqual([found.revision, found.data], [made.revision, data]);
  await refused(service.documents('nobody').fetch(), 404, 20404);
  await refused(service.documents('ET00000000000000000000000000000000').fetch(), 404, 20404);

  // Update, conditionally.
  const ifMatch = made.revision;
  const next = await service.documents(made.sid).update({ data: { step: 'exam' }, ifMatch });
  assert.notEqual(next.revision, made.revision);
  assert.deepEqual(next.data, { step: 'exam' });
  await refused(service.documents(made.sid).update({ data: { step: 'late' }, ifMatch }), 412, 54103);
  await refused(service.documents(made.sid).update({ data: {}, ifMatch: 'not a revision' }), 400, 54003);
  await refused(service.documents(made.sid).update({}), 400, 54010);
  await refused(service.documents(made.sid).update({ ttl: 31536001 }), 400, 54011);
  await refused(service.documents(made.sid).update({ data: [1] }), 400, 54101);
  const forever = await service.documents(made.sid).update({ ttl: 0 });
  assert.deepEqual([forever.dateExpires, forever.data], [null, { step: 'exam' }]);
  await refused(service.documents('nobody').update({ data: {} }), 404, 20404);

  // Names with letters that mean something in addresses.
  for (const name of ['Room 1', 'a%20b', 'č.ž', "it's"]) {
    await service.documents.create({ uniqueName: name, data: { name } });
    assert.deepEqual((await service.documents(encodeURIComponent(name)).fetch()).data, { name });
    assert.equal(await service.documents(encodeURIComponent(name)).remove(), true);
  }

  // List with paging.
  for (let n = 0; n < 7; n += 1) await service.documents.create({ uniqueName: `Page_${n}` });
  const all = await service.documents.list({ pageSize: 3 });
  assert.equal(all.length, 9);
  assert.equal(new Set(all.map((document) => document.sid)).size, 9);
  assert.equal((await service.documents.list({ pageSize: 2, limit: 5 })).length, 5);
  const page = await service.documents.page({ pageSize: 4 });
  assert.equal(page.instances.length, 4);
  assert.equal((await page.nextPage()).instances.length, 4);
  assert.equal((await service.documents.getPage(page.nextPageUrl)).instances.length, 4);

  // Remove.
  assert.equal(await service.documents(made.sid).remove(), true);
  await refused(service.documents(made.sid).remove(), 404, 20404);

  // Wrong credentials, and what is not there.
  const stranger = twilio(key, `${secret}x`, { accountSid: account });
  stranger.sync.baseUrl = base;
  await refused(stranger.sync.v1.services('default').fetch(), 401, 20003);
  await refused(client.sync.v1.services('IS00000000000000000000000000000000').documents.list(), 404, 20404);
  await refused(service.syncLists.list(), 404, 20404);
  await refused(client.sync.v1.services.create({}), 405, 20004);
  console.log('all as the library expects');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
