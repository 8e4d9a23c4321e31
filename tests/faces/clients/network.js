// A network for the tests: counts requests, loses replies, and stops before a push when told to.
class Network {
  constructor(tell) {
    this.tell = tell
    this.pushes = 0
    this.rows = 0
    this.lose = null
    this.pause = false
    this.fetch = (address, init = {}) => this.send(address, init)
  }

  async send(address, init) {
    const isPush = init.method === 'POST'
    if (isPush) await this.beforePush(init)
    const reply = await fetch(address, init)
    if (this.lose === (isPush ? 'push' : 'pull')) {
      this.lose = null
      await reply.text()
      throw new Error('the reply was lost')
    }
    return reply
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
