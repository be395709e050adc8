// People with the helper over the official Sync SDK, and one of the original kind who writes whole documents blindly.
// Asked on standard input and told on standard output, as party.cjs. The folder of the compiled helper is the first
// argument.
const { SyncClient } = require('twilio-sync');
const path = require('node:path');
const readline = require('node:readline');
const { SpSync } = require(path.join(process.argv[2], 'sp-sync'));

const clients = new Map();
const sessions = new Map();
const tokens = [];
const originals = new Map();
const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Adds a batch, again where there was no room; what was lost and may have held is told.
const addPatiently = async (session, batch) => {
  for (;;) {
    try {
      return await session.addActions(batch);
    } catch (error) {
      if (!['Full', 'TooLarge', 'WriteFailed'].includes(error.kind)) throw error;
      await pause(20);
    }
  }
};

const verbs = {
  connect: ({ who, uri, token = who }) =>
    new Promise((resolve) => {
      const client = new SyncClient(token, { twilsock: { uri }, logLevel: 'silent' });
      clients.set(who, client);
      client.on('connectionStateChanged', (state) => state === 'connected' && resolve(state));
    }),
  open: async ({ who, name, options }) => {
    const onNotice = (notice) => tell({ who, event: 'notice', notice });
    const renewToken = () => tokens.shift() ?? Promise.reject(new Error('there is no other token'));
    sessions.set(who, await SpSync.open(clients.get(who), name, { identity: who, renewToken, ...options, onNotice }));
    return sessions.get(who).getSync();
  },
  // What renewing gives from now on, one after the other.
  give: async ({ given }) => void tokens.push(...given),
  // Carries out an executor's actions; what starts and what ends is told.
  serve: async ({ who, session, executor }) => {
    session.on(`${executor}ActionsAdded`, async (action, { id, attempt, signal }) => {
      tell({ who, event: 'began', action, id, attempt });
      if (action.message === 'fails') throw Object.assign(new Error('not now'), { code: 'busy' });
      if (action.message === 'waits') await new Promise((resolve) => signal.addEventListener('abort', resolve));
      tell({ who, event: 'ended', id, attempt, cancelled: signal.aborted });
      return action.action === 'getDisplayCount' ? { displayCount: 2 } : undefined;
    });
  },
  add: ({ session, action, info }) => session.addAction(action, info),
  addMany: ({ session, batch }) => addPatiently(session, batch),
  request: ({ session, action, info }) => session.request(action, info),
  withdraw: ({ session, id }) => session.withdraw(id),
  setSync: ({ session, data }) => session.setSync(data),
  unset: ({ session, keys }) => session.unset(keys),
  getSync: async ({ session }) => session.getSync(),
  updates: async ({ who, session }) => void session.on('spSyncDocUpdated', (data) => tell({ who, event: 'updated', data })),
  // Batches one after the other, each with a request at its end; a request that was lost is told.
  campaign: async ({ session, batches, size, label }) => {
    let answered = 0;
    for (let batch = 0; batch < batches; batch += 1) {
      const actions = Array.from({ length: size }, (_, at) => ['lockScreen', { message: `${label} ${batch * size + at}` }]);
      await addPatiently(session, actions);
      const { displayCount } = await session.request('getDisplayCount', { respondTo: 'onboarding', timeoutMs: 120_000 });
      answered += displayCount === 2 ? 1 : 0;
    }
    return answered;
  },
  close: ({ session }) => session.close(),
  // The original: reads, changes, writes the whole document back without a look at what happened meanwhile.
  original: async ({ who, name }) => {
    originals.set(who, await clients.get(who).document(name));
    return originals.get(who).data;
  },
  read: async ({ original }) => structuredClone(original.data),
  put: ({ original, data }) => original.set(data),
  overwrite: async ({ original, rounds, pauseMs, wipe }) => {
    let readable = 0;
    for (let round = 0; round < rounds; round += 1) {
      const copy = structuredClone(original.data);
      for (const array of ['extensionActions', 'onboardingActions']) {
        const elements = copy[array] ?? [];
        if (!Array.isArray(elements) || !elements.every((one) => typeof one.action === 'string' && typeof one.executor === 'string')) {
          throw new Error(`unreadable: ${JSON.stringify(copy)}`);
        }
      }
      readable += 1;
      copy.extensionActions = [...(copy.extensionActions ?? []), { action: 'lockScreen', executor: 'extension', message: `original ${round}` }];
      if (wipe && round % 3 === 0) delete copy._sp;
      // What happens meanwhile is overwritten.
      await pause(pauseMs);
      await original.set(copy);
      await pause(pauseMs);
    }
    return readable;
  },
};

readline.createInterface({ input: process.stdin }).on('line', async (line) => {
  const { ask, verb, ...what } = JSON.parse(line);
  try {
    const session = sessions.get(what.who);
    tell({ ask, value: (await verbs[verb]({ session, original: originals.get(what.who), ...what })) ?? null });
  } catch ({ kind, message, detail, stack }) {
    tell({ ask, error: { kind, message: kind === undefined ? stack : message, detail } });
  }
}).on('close', () => process.exit(0));
process.on('unhandledRejection', (error) => tell({ event: 'unhandled', message: String(error?.stack ?? error) }));
