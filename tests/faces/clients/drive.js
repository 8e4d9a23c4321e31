// Drive phones by lines of JSON: `node drive.js watermelon|rxdb`, one answer for each command.
const readline = require('readline')
const { Network } = require('./network')
const { Phone } = require(`./${process.argv[2]}_phone`)

const phones = {}
const tell = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`)

const commands = {
  async open({ phone, ...connection }) {
    const network = new Network(tell)
    phones[phone] = new Phone({ name: phone, network, ...connection })
    if (phones[phone].open) await phones[phone].open()
  },
  async sync({ phone, ...how }) {
    const network = phones[phone].network
    network.begin(how)
    const began = Date.now()
    const receipts = await phones[phone].sync()
    return { receipts, pushes: network.pushes, rows: network.rows, ms: Date.now() - began }
  },
  async close() {
    for (const name of Object.keys(phones)) {
      await phones[name].close()
      delete phones[name]
    }
  },
  create: ({ phone, kind, id, values }) => phones[phone].create(kind, id, values),
  change: ({ phone, kind, id, values }) => phones[phone].change(kind, id, values),
  remove: ({ phone, kind, id }) => phones[phone].remove(kind, id),
  rows: ({ phone, kind }) => phones[phone].rows(kind),
}

async function obey(line) {
  const { do: word, ...told } = JSON.parse(line)
  if (word === 'resume') return phones[told.phone].network.resume()
  try {
    tell({ done: (await commands[word](told)) ?? null })
  } catch (error) {
    tell({ failed: String(error.message), stack: error.stack })
  }
}

readline.createInterface({ input: process.stdin }).on('line', obey)
  .on('close', () => process.exit(0))
