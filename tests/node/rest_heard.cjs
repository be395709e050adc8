// A page on the official SDK hears of what a back end does with the official REST library. Arguments: base URL, account
// SID, key SID, secret, access token, name of the document.
'use strict';
const site = require('./rest_site.cjs');

const [base, account, key, secret, token, name] = process.argv.slice(2);

async function main() {
  const { documents } = site.service(base, account, key, secret);
  await documents.create({ uniqueName: name, data: { n: 0 } });
  const page = site.page(base, token);
  const document = await page.document({ id: name, mode: 'open_existing' });
  const heard = [];
  const next = (event) => new Promise((resolve) => document.once(event, (args) => resolve(heard.push(event) && args)));
  // The subscription is on its way: what happens before it stands is told with it.
  let wait = next('updated');
  await documents(name).update({ data: { n: 1 } });
  if ((await wait).data.n !== 1) throw new Error('other data');
  wait = next('updated');
  await documents(name).update({ data: { n: 2 } });
  const told = await wait;
  if (told.data.n !== 2 || told.isLocal) throw new Error('other data, or its own');
  wait = next('removed');
  await documents(name).remove();
  await wait;
  console.log(heard.join(', '));
  await page.shutdown();
}

site.run(main, 20_000);
