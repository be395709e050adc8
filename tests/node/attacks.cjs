// What once lost actions or stopped the helper, one scene at a time, over a store that is called as the SDK's document.
// Arguments: the folder of the compiled helper, and the scene. Ends with 0, or tells what is wrong.
const assert = require('node:assert/strict');
const { EventEmitter } = require('node:events');
const path = require('node:path');
const { SpSync } = require(path.join(process.argv[2], 'sp-sync'));

const turn = () => new Promise((resolve) => setImmediate(resolve));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const microtasks = async (count) => {
  for (let done = 0; done < count; done += 1) await undefined;
};
// Waits for as long as it takes: whoever runs this has the patience.
const until = async (holds) => {
  while (!holds()) await pause(5);
};

// One document. `refuses` answers the error for which the service does not take a text, if any.
class Store {
  data = {};
  revision = 0;
  documents = new Set();
  refuses = () => undefined;
  // How long the service takes for a write.
  answer = turn;
  // Hears what was stored.
  held = () => {};

  async open(identity, options = {}) {
    const document = new SharedDocument(this);
    this.documents.add(document);
    return SpSync.open({ document: async () => document }, 'd', { identity, writesPerSecond: 1000, ...options });
  }

  waiting(executor = 'extension') {
    return (this.data[`${executor}Actions`] ?? []).map(({ action }) => action);
  }

  get isWorkedOff() {
    return this.waiting().length === 0 && this.data._sp?.claims === undefined;
  }
}

// One client's view of it. A write holds if it was made from the newest content, and is asked for again if not.
class SharedDocument {
  listeners = { updated: new Set(), removed: new Set() };
  constructor(store) {
    this.store = store;
    this.look();
  }
  look() {
    this.data = structuredClone(this.store.data);
    this.lastEventId = this.store.revision;
    this.dateUpdated = new Date();
  }
  tell() {
    this.look();
    for (const listener of this.listeners.updated) listener();
  }
  async mutate(mutator) {
    const { store } = this;
    for (;;) {
      const next = mutator(structuredClone(this.data));
      if (next === null) return this.data;
      const seen = this.lastEventId;
      await store.answer();
      const text = JSON.stringify(next);
      const refused = store.refuses(text);
      if (refused !== undefined) throw refused;
      if (seen === store.revision) {
        store.data = JSON.parse(text);
        store.revision += 1;
        store.held(text);
        for (const other of store.documents) {
          if (other !== this) setImmediate(() => other.lastEventId < store.revision && other.tell());
        }
        this.tell();
        return this.data;
      }
      this.tell();
    }
  }
  on(event, listener) {
    this.listeners[event].add(listener);
  }
  removeListener(event, listener) {
    this.listeners[event].delete(listener);
  }
  close() {
    this.store.documents.delete(this);
  }
}

const refusal = (status, code) => Object.assign(new Error('the service does not take it'), { status, code });
const kindOf = (promise) => promise.then(() => 'ok', (error) => error.kind);

// The executor stops so many microtasks after its first action has ended; the second was about to start.
const stopped = async (how, second) => {
  for (let count = 0; count < 20; count += 1) {
    const store = new Store();
    const executor = await store.open('executor');
    const adder = await store.open('adder');
    const [seen, late, attempts] = [[], [], []];
    let over = false;
    let end;
    const ended = new Promise((resolve) => (end = resolve));
    const off = executor.on('extensionActionsAdded', (action) => {
      seen.push(action.action);
      if (over) late.push(action.action);
      return seen.length === 1 ? ended : undefined;
    });
    await adder.addActions([['stopSession'], second]);
    await until(() => seen.length === 1);
    end();
    await microtasks(count);
    over = true;
    if (how === 'close') await executor.close();
    else off();
    await until(() => store.data._sp?.claims === undefined);
    const [name] = second;
    const place = `${how} after ${count} microtasks: seen ${seen}, waiting ${store.waiting()}`;
    assert.deepEqual(late, [], `a handler started late, ${place}`);
    const times = seen.filter((action) => action === name).length + store.waiting().filter((action) => action === name).length;
    assert.ok(times >= 1, `lost, ${place}`);
    if (seen.includes(name)) continue;
    // Nobody has seen it: whoever takes it next makes the first attempt.
    adder.on('extensionActionsAdded', (action, { attempt }) => void (action.action === name && attempts.push(attempt)));
    await until(() => store.isWorkedOff);
    assert.deepEqual(attempts, [1], `an attempt that nobody made was counted, ${place}`);
  }
};

const SECOND = ['lockScreen', { message: 'second' }];

// The listener goes so many microtasks after the start of an at-most-once action was written.
const stoppedOnce = async (how) => {
  for (let count = 0; count < 20; count += 1) {
    const store = new Store();
    const executor = await store.open('executor');
    const adder = await store.open('adder');
    const attempts = [];
    const off = executor.on('extensionActionsAdded', (_, { attempt }) => void attempts.push(attempt));
    let gone;
    store.held = (text) => {
      if (text.includes('"once"')) gone ??= microtasks(count).then(() => (how === 'close' ? executor.close() : off()));
    };
    await adder.addAction('injectPassword');
    await until(() => gone !== undefined);
    await gone;
    await until(() => store.data._sp?.claims === undefined);
    const place = `${how} after ${count} microtasks: seen ${attempts.length}, waiting ${store.waiting()}`;
    assert.equal(attempts.length + store.waiting().length, 1, `lost or twice, ${place}`);
    adder.on('extensionActionsAdded', (_, { attempt }) => void attempts.push(attempt));
    await until(() => store.isWorkedOff);
    assert.deepEqual(attempts, [1], place);
  }
};

const scenes = {
  off: async () => {
    await stopped('off', SECOND);
    await stoppedOnce('off');
  },
  close: async () => {
    await stopped('close', SECOND);
    await stoppedOnce('close');
  },

  // A response and an error that the service refuses: each is dropped, and the client goes on writing.
  refusedResponse: async () => {
    for (const [status, code, why] of [[413, 54006, 'TooLarge'], [400, 54008, 'Refused']]) {
      const store = new Store();
      store.refuses = (text) => (text.includes('poison') ? refusal(status, code) : undefined);
      const dropped = [];
      const onNotice = (notice) => notice.kind === 'ResponseDropped' && dropped.push(notice.why);
      const executor = await store.open('executor', { onNotice });
      const asker = await store.open('asker');
      // Calls made while the response waits to be written share its fate only until it is tried apart.
      let beside;
      executor.on('extensionActionsAdded', () => {
        beside ??= Promise.all([kindOf(executor.setSync({ one: 1 })), kindOf(executor.setSync({ two: 2 }))]);
        throw new Error('poison');
      });
      asker.request('getDisplayCount', { respondTo: 'onboarding', timeoutMs: 2 ** 31 }).catch(() => {});
      await until(() => dropped.length > 0);
      assert.deepEqual(dropped, [why]);
      assert.deepEqual(await beside, ['ok', 'ok']);
      assert.equal(await kindOf(executor.setSync({ after: 1 })), 'ok');
      await until(() => store.isWorkedOff);
    }
  },

  // The first response is refused together with calls in one write.
  refusedTogether: async () => {
    const store = new Store();
    store.refuses = (text) => (text.includes('poison') ? refusal(400, 54008) : undefined);
    const dropped = [];
    const executor = await store.open('executor', { onNotice: ({ kind }) => kind === 'ResponseDropped' && dropped.push(kind) });
    const asker = await store.open('asker');
    const calls = [];
    executor.on('onboardingActionsAdded', () => {});
    executor.on('extensionActionsAdded', (action, { attempt }) => {
      if (attempt === 5) calls.push(kindOf(executor.setSync({ one: 1 })), kindOf(executor.setSync({ bad: 'poison' })));
      throw new Error('poison');
    });
    asker.request('getDisplayCount', { respondTo: 'onboarding', timeoutMs: 2 ** 31 }).catch(() => {});
    await until(() => dropped.length > 0);
    assert.deepEqual(await Promise.all(calls), ['ok', 'Refused']);
    assert.equal(store.data.one, 1);
  },

  // Many end while a write is on its way; the next carries all their responses, of which two are refused.
  refusedResponses: async () => {
    const store = new Store();
    const dropped = [];
    const executor = await store.open('executor', { onNotice: ({ kind, why }) => kind === 'ResponseDropped' && dropped.push(why) });
    const asker = await store.open('asker');
    let together = 0;
    store.refuses = (text) => {
      const count = text.split('"version"').length - 1;
      together = Math.max(together, count);
      if (text.includes('poison')) return refusal(400, 54008);
      return text.includes('too long') ? refusal(413, 54006) : undefined;
    };
    const versions = ['1', 'poison', '3', 'too long', '5', '6'];
    let runs = 0;
    executor.on('extensionActionsAdded', () => {
      // The first end is on its way while the others end.
      if (runs === 0) store.answer = () => until(() => runs === versions.length);
      const version = versions[runs];
      runs += 1;
      return { version, operatingSystem: 'test' };
    });
    const ask = () => asker.request('getExtensionInfo', { respondTo: 'onboarding', timeoutMs: 10_000 });
    const answers = await Promise.all(versions.map(() => ask().then(({ version }) => version, ({ kind }) => kind)));
    assert.ok(together > 2, `only ${together} responses shared a write`);
    assert.deepEqual(answers, ['1', 'Timeout', '3', 'Timeout', '5', '6']);
    assert.deepEqual([dropped, runs], [['Refused', 'TooLarge'], 6]);
    await until(() => store.isWorkedOff);
  },

  // Another attempt would end in the same way, and do the work again.
  unfitResponse: async () => {
    const store = new Store();
    const notices = [];
    const executor = await store.open('executor', { onNotice: (notice) => notices.push(notice) });
    const asker = await store.open('asker');
    const unfit = [{}, { displayCount: 'two' }, { displayCount: -1 }, { displayCount: 1, colour: 'red' }, 7];
    let runs = 0;
    executor.on('extensionActionsAdded', () => {
      runs += 1;
      return unfit[runs - 1];
    });
    for (const _ of unfit) {
      const request = asker.request('getDisplayCount', { respondTo: 'onboarding', timeoutMs: Infinity });
      const error = await request.then(() => assert.fail('answered'), (error) => error);
      assert.deepEqual([error.kind, error.detail.code], ['Failed', 'response'], error.message);
    }
    assert.equal(runs, unfit.length);
    assert.deepEqual(notices.map(({ kind, attempts }) => [kind, attempts]), unfit.map(() => ['ActionFailed', 1]));
    const [missing, type] = notices.map(({ failure }) => failure.message);
    assert.ok(missing.includes('`response.displayCount` is mandatory'), missing);
    assert.ok(type.includes('`response.displayCount` must be an integer, not a string'), type);
  },

  // The SDK says when a token ends; the page gives another, or is told that there is none, and asked again.
  tokens: async () => {
    const document = () => new SharedDocument(new Store());
    const open = async (options) => {
      const client = Object.assign(new EventEmitter(), { document: async () => document(), updateToken: (token) => used.push(token) });
      const [used, notices] = [[], []];
      const onNotice = (notice) => notices.push(notice);
      const session = await SpSync.open(client, 'd', { identity: 'page', onNotice, ...options });
      return { client, used, notices, session };
    };
    const silent = await open({});
    silent.client.emit('tokenAboutToExpire');
    silent.client.emit('tokenExpired');
    await turn();
    assert.deepEqual([silent.used, silent.notices], [[], [{ kind: 'TokenAboutToExpire' }, { kind: 'TokenExpired' }]]);

    let asked = 0;
    const renewToken = async () => {
      asked += 1;
      if (asked % 3 !== 0) throw new Error('no session');
      return `token ${asked}`;
    };
    const renewing = await open({ renewToken });
    renewing.client.emit('tokenAboutToExpire');
    renewing.client.emit('tokenAboutToExpire');
    await until(() => renewing.used.length === 1);
    const message = 'no session';
    assert.deepEqual([renewing.used, renewing.notices], [['token 3'], [{ kind: 'TokenAboutToExpire', message }]]);
    renewing.client.emit('tokenExpired');
    await until(() => renewing.used.length === 2);
    assert.deepEqual([renewing.used, renewing.notices[1]], [['token 3', 'token 6'], { kind: 'TokenExpired', message }]);
    await renewing.session.close();
    renewing.client.emit('tokenExpired');
    await turn();
    assert.deepEqual([asked, renewing.client.eventNames()], [6, []]);
  },

  // Of several calls in one write only the one that is meant is refused, and the others hold in their order.
  refusedCalls: async () => {
    const store = new Store();
    store.refuses = (text) => (text.includes('poison') ? refusal(400, 54008) : undefined);
    const page = await store.open('page');
    const info = { message: 'fine' };
    const calls = [
      page.setSync({ a: 1 }), page.setSync({ b: 'poison' }), page.addAction('lockScreen', info),
      page.addAction('lockScreen', { message: 'poison' }), page.setSync({ c: 3 }),
    ];
    assert.deepEqual(await Promise.all(calls.map(kindOf)), ['ok', 'Refused', 'ok', 'Refused', 'ok']);
    const { a, b, c, extensionActions } = store.data;
    assert.deepEqual([a, b, c, extensionActions.map(({ message }) => message)], [1, undefined, 3, ['fine']]);
  },

  // Half an emoji is refused where a caller gives it, and replaced where it is in an error.
  halfCharacters: async () => {
    const store = new Store();
    store.refuses = (text) => (/\\ud[89a-f]/i.test(text) ? refusal(400, 54008) : undefined);
    const executor = await store.open('executor');
    const asker = await store.open('asker');
    const half = 'no 😀'.slice(0, 4);
    const refused = async (call, field) => {
      const error = await call.then(() => assert.fail('taken'), (error) => error);
      assert.deepEqual([error.kind, error.detail.field], ['Invalid', field], error.message);
      assert.ok(error.message.includes(`\`${field}\``), error.message);
    };
    await refused(asker.setSync({ deep: { list: 1, name: half } }), 'deep.name');
    await refused(asker.setSync({ [half]: 1 }), 'no \ufffd');
    await refused(asker.addAction('lockScreen', { message: half }), 'message');
    await asker.setSync({ whole: 'yes 😀' });
    executor.on('extensionActionsAdded', () => {
      throw Object.assign(new Error(half), { code: half });
    });
    const request = asker.request('getDisplayCount', { respondTo: 'onboarding', timeoutMs: Infinity });
    const error = await request.then(() => assert.fail('answered'), (error) => error);
    assert.deepEqual([error.kind, error.detail.code], ['Failed', 'no \ufffd'], error.message);
    assert.ok(error.message.endsWith('no \ufffd'), error.message);
  },

  // Whatever is thrown is a failure, and the queue goes on.
  oddThrows: async () => {
    const odd = {
      get code() { throw new Error('no code'); },
      get message() { throw new Error('no message'); },
      toString() { throw new Error('no text'); },
    };
    const store = new Store();
    const failures = [];
    const onNotice = (notice) => notice.kind === 'ActionRetried' && failures.push(notice.failure);
    const executor = await store.open('executor', { onNotice });
    const throws = [Object.create(null), odd, null, undefined, Symbol('x')];
    const seen = [];
    executor.on('extensionActionsAdded', ({ message }, { attempt }) => {
      seen.push(message);
      if (message === 'odd' && attempt < 5) throw throws[attempt - 1];
    });
    await executor.addActions([['lockScreen', { message: 'odd' }], ['lockScreen', { message: 'next' }]]);
    await until(() => seen.includes('next'));
    assert.deepEqual(failures.map(({ code }) => code), ['failed', 'failed', 'failed', 'failed']);
    assert.deepEqual(failures.map(({ message }) => message).slice(1), ['what was thrown cannot be read', 'null', 'undefined']);
  },

  // A wait longer than a timer can be is a long wait, and none that is no time is begun.
  longWaits: async () => {
    const store = new Store();
    const asker = await store.open('asker');
    const executor = await store.open('executor');
    executor.on('extensionActionsAdded', async () => {
      await pause(50);
      return { displayCount: 2 };
    });
    for (const timeoutMs of [Infinity, 2 ** 31, 2 ** 40]) {
      const { displayCount } = await asker.request('getDisplayCount', { respondTo: 'onboarding', timeoutMs });
      assert.equal(displayCount, 2, `${timeoutMs}`);
    }
    for (const timeoutMs of [NaN, -1, -Infinity]) {
      const kind = await kindOf(asker.request('getDisplayCount', { respondTo: 'onboarding', timeoutMs }));
      assert.equal(kind, 'Invalid', `${timeoutMs}`);
    }
    assert.deepEqual(store.waiting(), []);
  },

  // One listener's fault is told to the page, and keeps the newest content from nobody.
  faultyListener: async () => {
    const faults = [];
    process.on('uncaughtException', ({ message }) => faults.push(message));
    const store = new Store();
    const page = await store.open('page');
    const other = await store.open('other');
    const seen = [];
    page.on('spSyncDocUpdated', () => {
      throw new Error('a fault of one listener');
    });
    page.on('spSyncDocUpdated', ({ x }) => seen.push(x));
    await other.setSync({ x: 1 });
    await until(() => seen.length > 0);
    assert.deepEqual([seen, faults], [[1], ['a fault of one listener']]);
  },
};

scenes[process.argv[3]]().then(
  () => process.exit(0),
  (error) => {
    console.log(error);
    process.exit(1);
  },
);
