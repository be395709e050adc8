// A person with the official Sync SDK, who does what is asked on standard input and tells all on standard output:
// one JSON value per line, both ways. Asked {"ask":1,"verb":"open","who":"alice",…}; told {"ask":1,"value":…},
// {"ask":1,"error":{…}}, or, whenever something happens, {"who":"alice","event":"updated",…}.
const { SyncClient } = require('twilio-sync');
const readline = require('node:readline');

const clients = new Map();
const documents = new Map();
const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const shown = (document) => ({
  sid: document.sid,
  uniqueName: document.uniqueName,
  data: document.data,
  dateExpires: document.dateExpires,
  revision: document.revision,
  lastEventId: document.lastEventId,
});

const verbs = {
  connect: ({ who, token, uri }) =>
    new Promise((resolve) => {
      const client = new SyncClient(token, { twilsock: { uri }, logLevel: 'silent' });
      clients.set(who, client);
      const happened = (event) => (detail) => tell({ who, event, detail: detail ?? null });
      client.on('connectionStateChanged', (state) => {
        tell({ who, event: 'state', detail: state });
        if (state === 'connected' || state === 'denied') resolve(state);
      });
      client.on('connectionError', happened('connectionError'));
      client.on('tokenAboutToExpire', happened('tokenAboutToExpire'));
      client.on('tokenExpired', happened('tokenExpired'));
    }),
  updateToken: async ({ who, token }) => void (await clients.get(who).updateToken(token)),
  shutdown: async ({ who }) => void (await clients.get(who).shutdown()),
  open: async ({ who, as, options }) => {
    const document = await clients.get(who).document(options);
    document.on('updated', ({ data, previousData, isLocal }) =>
      tell({ who, event: 'updated', as, data, previousData, isLocal }));
    document.on('removed', ({ isLocal }) => tell({ who, event: 'removed', as, isLocal }));
    document.on('failure', (detail) => tell({ who, event: 'failure', as, detail }));
    documents.set(`${who}/${as}`, document);
    return shown(document);
  },
  set: ({ document, data, options }) => document.set(data, options),
  update: ({ document, data, options }) => document.update(data, options),
  // Each call adds one, over and over until it holds.
  add: ({ document, key }) => document.mutate((data) => ({ ...data, [key]: (data[key] ?? 0) + 1 })),
  // Adds to the end of an array, as the original client does through a mutation.
  push: ({ document, key, value }) =>
    document.mutate((data) => ({ ...data, [key]: [...(data[key] ?? []), value] })),
  setTtl: ({ document, ttl }) => document.setTtl(ttl),
  remove: ({ document }) => document.removeDocument(),
  show: async ({ document }) => shown(document),
  close: async ({ document }) => document.close(),
  list: async ({ who }) => void (await clients.get(who).list('anything')),
};

readline.createInterface({ input: process.stdin }).on('line', async (line) => {
  const { ask, verb, ...options } = JSON.parse(line);
  try {
    const document = documents.get(`${options.who}/${options.as}`);
    tell({ ask, value: (await verbs[verb]({ document, ...options })) ?? null });
  } catch ({ status, code, message }) {
    tell({ ask, error: { status, code, message } });
  }
}).on('close', () => process.exit(0));
process.on('unhandledRejection', (error) => tell({ event: 'unhandled', message: String(error?.message ?? error) }));
