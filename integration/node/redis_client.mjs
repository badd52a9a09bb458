// What a program on npm's `redis` does, in RESP2 and RESP3: redis_client.mjs PORT. Exits with 0 if every
// answer is right.
import assert from 'node:assert/strict';
import {createClient} from 'redis';

const port = Number(process.argv[2]);

async function withClient(resp, use) {
  const client = createClient({RESP: resp, socket: {host: '127.0.0.1', port}});
  client.on('error', (error) => {
    throw error;
  });
  await client.connect();
  try {
    await use(client);
  } finally {
    await client.close();
  }
}

for (const resp of [2, 3]) {
  await withClient(resp, async (client) => {
    await client.flushAll();
    assert.equal(await client.set('key', 'value'), 'OK');
    assert.equal(await client.get('key'), 'value');
    assert.equal(await client.get('missing'), null);
    assert.equal(await client.set('key', 'other', {NX: true}), null);
    assert.equal(await client.getDel('key'), 'value');
    assert.deepEqual(await client.mGet(['key', 'missing']), [null, null]);
    await assert.rejects(client.sendCommand(['INCRBY', 'n', 'one']), /not an integer/);

    // Commands of one tick leave as one pipeline; the answers must come in their order.
    const counts = await Promise.all(Array.from({length: 10_000}, () => client.incr('n')));
    assert.deepEqual(counts, Array.from({length: 10_000}, (_, i) => i + 1));

    // Keys of all shards, in one pipeline.
    const keys = Array.from({length: 1000}, (_, i) => `key:${i}`);
    await Promise.all(keys.map((key) => client.set(key, `of ${key}`, {expiration: {type: 'EX', value: 1000}})));
    assert.deepEqual(await client.mGet(keys), keys.map((key) => `of ${key}`));
    assert.ok((await client.ttl('key:7')) > 900);

    const seen = new Set();
    for await (const batch of client.scanIterator({MATCH: 'key:*', COUNT: 100})) {
      for (const key of batch) seen.add(key);
    }
    assert.equal(seen.size, 1000);

    const large = 'x'.repeat(3 << 20);
    assert.equal(await client.set('large', large), 'OK');
    assert.equal(await client.get('large'), large);

    assert.equal((await client.configGet('maxclients')).maxclients, '10000');
    assert.match(await client.info('server'), /redis_version:/);
    const hello = await client.sendCommand(['HELLO']);
    assert.equal(resp === 3 ? hello.proto : hello[hello.indexOf('proto') + 1], resp);
  });
}
