// A network for the tests: counts pushes, loses a reply and breaks down, stops before a push.
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
    if (this.down) throw new Error('no network')
    if (isPush) await this.beforePush(init)
    const reply = await fetch(address, init)
    if (this.lose !== (isPush ? 'push' : 'pull')) return reply
    await reply.text()
    this.down = true
    const lost = new Error('the reply was lost')
    this.breakDown(lost)
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
