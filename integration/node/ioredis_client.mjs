// What a program on npm's `ioredis` does: ioredis_client.mjs PORT. Exits with 0 if every answer is right.
import assert from 'node:assert/strict';
import Redis from 'ioredis';

const port = Number(process.argv[2]);
const client = new Redis({host: '127.0.0.1', port, maxRetriesPerRequest: 0});

await client.flushall();
assert.equal(await client.set('key', 'value', 'PX', 100_000), 'OK');
assert.equal(await client.get('key'), 'value');
assert.ok((await client.pttl('key')) > 90_000);
assert.equal(await client.get('missing'), null);
await assert.rejects(client.call('INCRBY', 'n', 'one'), /not an integer/);

// A pipeline with an error within: it answers its own command and no other.
const pipeline = client.pipeline();
for (let i = 0; i < 10_000; ++i) pipeline.incr('n');
pipeline.incr('key').get('key');
const answers = await pipeline.exec();
assert.equal(answers.length, 10_002);
for (let i = 0; i < 10_000; ++i) assert.deepEqual(answers[i], [null, i + 1]);
assert.match(answers[10_000][0].message, /not an integer/);
assert.deepEqual(answers[10_001], [null, 'value']);

const binary = Buffer.from(Array.from({length: 256}, (_, i) => i));
await client.set(binary, binary);
assert.deepEqual(await client.getBuffer(binary), binary);

// Connections that pipeline side by side, over keys of all shards.
const clients = Array.from({length: 10}, () => client.duplicate({enableAutoPipelining: true}));
await Promise.all(clients.map(async (each, who) => {
  const keys = Array.from({length: 500}, (_, i) => `of ${who}:${i}`);
  await Promise.all(keys.map((key) => each.set(key, key)));
  assert.deepEqual(await each.mget(keys), keys);
  await each.quit();
}));
assert.equal(await client.dbsize(), 5003);
assert.equal(await client.quit(), 'OK');
