// A network for the tests: counts pushes, loses a request or a reply and breaks down, stops before a push.
class Network {
  constructor(tell) {
    this.tell = tell
    this.fetch = (address, init = {}) => this.send(address, init)
    this.begin({})
  }

  begin({ lose = null, pause = false }) {
    Object.assign(this, { lose, pause, down: false, pushes: 0, rows: 0 })
    this.broken = new Promise((_, reject) => { this.breakDown = reject })
    this.broken.catch(() => {})
  }

  async send(address, init) {
    const isPush = init.method === 'POST'
    const { lose, breakDown } = this // a late reply belongs to the sync that asked
    if (this.down) throw new Error('no network')
    if (isPush) await this.beforePush(init)
    if (isPush && lose === 'request') this.fail(breakDown)
    const reply = await fetch(address, init)
    if (lose !== (isPush ? 'push' : 'pull')) return reply
    await reply.text()
    return this.fail(breakDown)
  }

  fail(breakDown) {
    if (this.breakDown === breakDown) this.down = true
    const lost = new Error('it was lost')
    breakDown(lost)
    throw lost
  }

  async beforePush(init) {
    this.pushes += 1
    const body = JSON.parse(init.body)
    const lists = Array.isArray(body) ? [body] : Object.values(body).flatMap(Object.values)
    this.rows += lists.reduce((sum, list) => sum + list.length, 0)
    if (!this.pause) return
    this.pause = false
    await new Promise((resume) => {
      this.resume = resume
      this.tell({ paused: true })
    })
  }
}

module.exports = { Network }
