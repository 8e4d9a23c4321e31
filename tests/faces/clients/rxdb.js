// Replicate RxDB collections with Wangge; a collection has the name of the kind it holds.
const { replicateRxCollection } = require('rxdb/plugins/replication')

// Start the replication of one collection. `after` lists the replications of the kinds that its
// records name (contacts name households): what they hold is sent first. `onReceipts` is told
// the fate of everything sent, `onDrain` that the phone may only send any more. `device` comes
// once from POST /api/v1/sync/devices.
function replicateWithWangge({
  collection, server, device, token, after = [], onReceipts = () => {}, onDrain = () => {},
  retryTime = 5000, fetch = globalThis.fetch,
}) {
  const address = `${server}/api/v1/sync/faces/rxdb/${collection.name}`

  async function call(door, query, init = {}) {
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
    const reply = await fetch(`${address}/${door}?${new URLSearchParams({ device, ...query })}`, {
      ...init, headers,
    })
    const answer = await reply.json()
    if (!reply.ok) throw Object.assign(new Error(answer.code), { problem: answer })
    return answer
  }

  return replicateRxCollection({
    collection,
    replicationIdentifier: `wangge/${device}/${collection.name}`,
    live: true,
    retryTime,
    pull: {
      batchSize: 500,
      async handler(checkpoint, batchSize) {
        try {
          return await call('pull', { number: checkpoint?.number ?? 0, limit: batchSize })
        } catch (error) {
          // Who may read nothing any more may still hand in his work.
          if (error.problem?.code !== 'device_drain') throw error
          onDrain()
          return { documents: [], checkpoint }
        }
      },
    },
    push: {
      batchSize: 100,
      async handler(rows) {
        for (const other of after) await other.awaitInSync()
        const answer = await call('push', {}, { method: 'POST', body: JSON.stringify(rows) })
        onReceipts(answer.receipts)
        return answer.conflicts
      },
    },
  })
}

module.exports = { replicateWithWangge }
