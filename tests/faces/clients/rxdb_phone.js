// A phone with RxDB in memory, as the tests drive it.
const { createRxDatabase } = require('rxdb')
const { getRxStorageMemory } = require('rxdb/plugins/storage-memory')
const { replicateWithWangge } = require('./rxdb')

const PARENTS = { contact: ['household'], task: ['household', 'incident'] }
const RETRY_MS = 50
const ROUNDS = 2
const SETTLE_MS = 30 // a start is told to both directions by events

class RxdbPhone {
  constructor({ name, kinds, network, ...connection }) {
    Object.assign(this, { name, kinds, network, connection, receipts: [], replications: null, draining: false })
  }

  async open() {
    this.database = await createRxDatabase({
      name: this.name, storage: getRxStorageMemory(), multiInstance: false,
    })
    const collections = Object.entries(this.kinds).map(([kind, columns]) =>
      [kind, { schema: schemaOf(kind, columns) }])
    await this.database.addCollections(Object.fromEntries(collections))
  }

  // RxDB has at most 16 collections open at once.
  async close() {
    await this.database.close()
  }

  // A live replication is never done; a phone that goes under ground has had a moment on the net.
  async sync() {
    if (!this.replications) {
      this.replications = {}
      for (const kind of Object.keys(this.kinds)) this.replications[kind] = this.replicate(kind)
    }
    try {
      for (let round = 0; round < ROUNDS; round += 1) {
        await Promise.race([this.exchange(), this.network.broken])
      }
    } finally {
      for (const one of Object.values(this.replications)) await one.pause()
    }
    if (this.draining) await this.orderToErase()
    return this.receipts.splice(0)
  }

  async exchange() {
    const all = Object.values(this.replications)
    for (const one of all) await one.start()
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    for (const one of all) await one.awaitInSync()
  }

  // All is handed in: a push of nothing is answered with the order to erase the phone.
  async orderToErase() {
    const { server, device, token } = this.connection
    const reply = await this.network.fetch(
      `${server}/api/v1/sync/faces/rxdb/household/push?device=${device}`,
      { method: 'POST', body: '[]', headers: { Authorization: `Bearer ${token}`,
        'Content-Type': 'application/json' } })
    throw new Error((await reply.json()).code)
  }

  replicate(kind) {
    const after = (PARENTS[kind] || []).map((name) => this.replications[name]).filter(Boolean)
    return replicateWithWangge({
      collection: this.database[kind], after, retryTime: RETRY_MS, fetch: this.network.fetch,
      onReceipts: (receipts) => this.receipts.push(...receipts),
      onDrain: () => { this.draining = true }, ...this.connection,
    })
  }

  async create(kind, id, values) {
    await this.database[kind].insert({ id, ...values })
  }

  async change(kind, id, values) {
    const document = await this.database[kind].findOne(id).exec()
    await document.incrementalPatch(values)
  }

  async remove(kind, id) {
    const document = await this.database[kind].findOne(id).exec()
    await document.incrementalRemove()
  }

  async rows(kind) {
    const documents = await this.database[kind].find().exec()
    return Object.fromEntries(documents.map((document) => [document.id, document.toJSON()]))
  }
}

function schemaOf(kind, columns) {
  const properties = { id: { type: 'string', maxLength: 36 }, rv: { type: 'number' } }
  for (const [name] of columns) properties[name] = {}
  return { title: kind, version: 0, type: 'object', primaryKey: 'id', properties }
}

module.exports = { Phone: RxdbPhone }
