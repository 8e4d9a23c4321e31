// Sync a WatermelonDB database with Wangge. Every table has an optional number column `rv`.
const { synchronize, hasUnsyncedChanges } = require('@nozbe/watermelondb/sync')
const { setGenerator } = require('@nozbe/watermelondb/utils/common/randomId')
const { randomUUID } = require('crypto') // in an app: any generator of UUIDs

setGenerator(() => randomUUID())

// What the phone has not sent yet stays as it is, and so does the version it rests on.
function conflictResolver(table, local, remote, resolved) {
  if (local._status === 'created') return { ...remote, ...local }
  if (local._status === 'updated') return { ...resolved, rv: local.rv }
  return resolved
}

// Returns the receipts of what was sent. `device` comes once from POST /api/v1/sync/devices.
// `migrationsEnabledAtVersion` is WatermelonDB's own: set it once the database has migrations.
async function syncWithWangge({
  database, server, device, token, migrationsEnabledAtVersion, fetch = globalThis.fetch,
}) {
  const address = `${server}/api/v1/sync/faces/watermelon/sync`
  const tables = Object.keys(database.schema.tables).join(',')
  const receipts = []
  let more = false
  let draining = false

  async function call(query, init = {}) {
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
    const reply = await fetch(`${address}?${new URLSearchParams({ device, ...query })}`, {
      ...init, headers,
    })
    const answer = await reply.json()
    if (!reply.ok) throw Object.assign(new Error(answer.code), { problem: answer })
    return answer
  }

  async function pullChanges({ lastPulledAt, schemaVersion, migration }) {
    const query = {
      last_pulled_at: lastPulledAt || 0,
      schema_version: schemaVersion,
      migration: JSON.stringify(migration),
      unsent: await hasUnsyncedChanges({ database }),
      tables,
    }
    try {
      const answer = await call(query)
      more = answer.more
      return answer
    } catch (error) {
      // Who may read nothing any more may still hand in his work.
      draining = error.problem?.code === 'device_drain'
      if (!draining) throw error
      more = false
      return { changes: {}, timestamp: lastPulledAt || 1 }
    }
  }

  async function pushChanges({ changes, lastPulledAt }) {
    const body = JSON.stringify(changes)
    const answer = await call({ last_pulled_at: lastPulledAt }, { method: 'POST', body })
    receipts.push(...answer.receipts)
    return { experimentalRejectedIds: answer.experimentalRejectedIds }
  }

  do {
    await synchronize({
      database, pullChanges, pushChanges, conflictResolver,
      sendCreatedAsUpdated: true, migrationsEnabledAtVersion,
    })
  } while (more)
  // All is handed in: the answer is the order to erase the phone, `device_wipe`, with its ticket.
  if (draining) await call({ last_pulled_at: 0 }, { method: 'POST', body: '{}' })
  return receipts
}

module.exports = { syncWithWangge }
