// A phone with WatermelonDB on LokiJS, as the tests drive it.
const { Database, Model, appSchema, tableSchema } = require('@nozbe/watermelondb')
const LokiJSAdapter = require('@nozbe/watermelondb/adapters/lokijs').default
const logger = require('@nozbe/watermelondb/utils/common/logger').default
const { syncWithWangge } = require('./watermelon')

logger.silence()

class WatermelonPhone {
  constructor({ name, kinds, network, ...connection }) {
    this.network = network
    this.connection = connection
    const tables = Object.entries(kinds).map(([kind, columns]) =>
      tableSchema({
        name: kind,
        columns: [{ name: 'rv', type: 'number', isOptional: true }, ...columns.map(optional)],
      }))
    const models = Object.keys(kinds).map((kind) =>
      class extends Model { static table = kind })
    const schema = appSchema({ version: 1, tables })
    const adapter = new LokiJSAdapter({
      dbName: name, schema, useWebWorker: false, useIncrementalIndexedDB: true,
      extraLokiOptions: { autosave: false },
    })
    this.database = new Database({ adapter, modelClasses: models })
  }

  async close() {
    await this.database.write(() => this.database.unsafeResetDatabase())
  }

  async sync() {
    return syncWithWangge({
      database: this.database, fetch: this.network.fetch, ...this.connection,
    })
  }

  async create(kind, id, values) {
    await this.database.write(() =>
      this.database.get(kind).create((record) => {
        record._raw.id = id
        for (const [name, value] of Object.entries(values)) record._setRaw(name, plain(value))
      }))
  }

  async change(kind, id, values) {
    const record = await this.database.get(kind).find(id)
    await this.database.write(() =>
      record.update(() => {
        for (const [name, value] of Object.entries(values)) record._setRaw(name, plain(value))
      }))
  }

  async remove(kind, id) {
    const record = await this.database.get(kind).find(id)
    await this.database.write(() => record.markAsDeleted())
  }

  async rows(kind) {
    const records = await this.database.get(kind).query().fetch()
    return Object.fromEntries(records.map((record) => [record.id, { ...record._raw }]))
  }
}

const optional = ([name, type]) => ({ name, type, isOptional: true })
const plain = (value) => (value && typeof value === 'object' ? JSON.stringify(value) : value)

module.exports = { Phone: WatermelonPhone }
