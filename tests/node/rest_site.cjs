// What scripts share that meet a server with the official REST library and a page on the official SDK.
'use strict';
const twilio = require('twilio');
const { Client } = require('twilio-sync');

/** The service as the REST library has it. */
exports.service = (base, account, key, secret) => {
  const rest = twilio(key, secret, { accountSid: account });
  rest.sync.baseUrl = base;
  return rest.sync.v1.services('default');
};

/** A page with this access token. */
exports.page = (base, token) => new Client(token, { twilsock: { uri: `${base.replace('http', 'ws')}/v3/wsconnect` } });

/** Ends the process: with 0 when `main` is done, with what went wrong or did not come within so many milliseconds. */
exports.run = (main, withinMs) => {
  const fail = (error) => {
    console.error(error);
    process.exit(1);
  };
  setTimeout(() => fail('nothing came in time'), withinMs).unref();
  main().then(() => process.exit(0), fail);
};
