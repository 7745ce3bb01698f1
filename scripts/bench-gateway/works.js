// The kinds of work that the gateway is measured by, and what it has to reach in each.
//
// `plan` is what scripts/bench-gateway/load takes (its main.go says what each word means). A goal compares `of`, a path
// into the result, with that of `beside` in the same run (the ratio), or stands alone (the value). `peers` are the
// targets beside ours; `ours` is another one than the gateway in front of all nodes where the work needs it.

const ratio = (of, beside, op, limit) => ({of, beside, op, limit})
const value = (of, op, limit) => ({of, op, limit})

const whole = {api: 'generate', promptBytes: 200, tokens: 16, warmMs: 1000, forMs: 2500}
const streams = {api: 'chat', stream: true, promptBytes: 200, tokens: 50}
const paced50 = {
  ...streams,
  connections: 50,
  warmMs: 1500,
  forMs: 2500,
  behaviour: {firstMs: 50, gapMs: 20},
}
const unequal =
  'nodes of speed 1, 1 and 1/4 with 4 slots each, offered 60 of the 90 requests/s that they can do'
const balance = {
  rounds: 3,
  peers: ['nginx'],
  plan: {
    ...whole,
    connections: 2000,
    perSecond: 60,
    warmMs: 2000,
    forMs: 9000,
    behaviour: {firstMs: 25, gapMs: 5, slots: 4},
    each: [{}, {}, {speed: 0.25}],
  },
  show: ['wholeUs.p50', 'wholeUs.p95', 'wholeUs.p99', 'shares.2', 'failed'],
}
const oneNodeFails = (fault) => ({
  about: `100 requests/s; one node of three ${fault === 'refuse' ? 'is gone' : `answers ${fault} at once`} from 30 % to 70 % of the time`,
  rounds: 2,
  peers: ['nginx'],
  plan: {
    ...whole,
    connections: 512,
    perSecond: 100,
    tokens: 1,
    forMs: 8000,
    behaviour: {firstMs: 20},
    events: [
      {atMs: 2400, node: 1, behaviour: {fault}},
      {atMs: 5600, node: 1, behaviour: {fault: ''}},
    ],
  },
  show: ['requestsPerSecond', 'wholeUs.p50', 'wholeUs.p95', 'failed'],
  goals: [value('failed', '<=', 0)],
})

export const works = {
  small32: {
    about: '32 connections, whole answers',
    peers: ['nginx', 'haproxy'],
    plan: {...whole, connections: 32},
    show: ['requestsPerSecond', 'wholeUs.p50', 'wholeUs.p99', 'cpuPerRequestUs', 'pssMb'],
    goals: [
      ratio('requestsPerSecond', 'haproxy', '>=', 0.5),
      ratio('cpuPerRequestUs', 'nginx', '<=', 2.2),
    ],
  },
  lat1: {
    about: '1 connection, whole answers',
    peers: ['nginx'],
    plan: {...whole, connections: 1},
    show: ['addedUs.p50', 'addedUs.p99', 'cpuPerRequestUs'],
    goals: [ratio('addedUs.p50', 'nginx', '<=', 1.1), ratio('addedUs.p99', 'nginx', '<=', 1.3)],
  },
  chat128k: {
    about: '16 connections, 128 KB of chat history, whole answers',
    peers: ['nginx'],
    plan: {...whole, api: 'chat', connections: 16, promptBytes: 128 * 1024},
    show: ['requestsPerSecond', 'wholeUs.p99', 'cpuPerRequestUs', 'pssMb'],
    goals: [ratio('requestsPerSecond', 'nginx', '>=', 0.7)],
  },
  unpaced16: {
    about: '16 streams of 200 tokens, as fast as they go',
    peers: ['nginx'],
    plan: {...streams, connections: 16, tokens: 200, warmMs: 1000, forMs: 2500},
    show: ['tokensPerSecond', 'cpuPerTokenUs', 'pssMb'],
    goals: [ratio('tokensPerSecond', 'nginx', '>=', 1)],
  },
  stream500: {
    about: '500 streams of 25 tokens/s each',
    peers: ['nginx'],
    plan: {
      ...streams,
      connections: 500,
      warmMs: 2500,
      forMs: 3000,
      behaviour: {firstMs: 100, gapMs: 40},
    },
    show: [
      'tokensPerSecond',
      'tokensLost',
      'tokensLate',
      'firstAddedUs.p50',
      'firstAddedUs.p99',
      'delayUs.p99',
      'cpuPerTokenUs',
      'pssMb',
    ],
    goals: [
      value('failed', '<=', 0),
      value('tokensLost', '<=', 0),
      value('tokensLate', '<=', 0),
      ratio('firstAddedUs.p50', 'nginx', '<=', 2.5),
      value('firstAddedUs.p99', '<=', 8000),
      ratio('cpuPerTokenUs', 'nginx', '<=', 1.8),
    ],
  },
  stream2000: {
    about: '2,000 streams of 5 tokens/s each',
    rounds: 2,
    peers: ['nginx'],
    plan: {
      ...streams,
      connections: 2000,
      tokens: 20,
      warmMs: 4500,
      forMs: 3000,
      behaviour: {firstMs: 200, gapMs: 200},
    },
    show: ['tokensPerSecond', 'failed', 'tokensLost', 'firstAddedUs.p99', 'rssMb', 'pssMb'],
    goals: [value('failed', '<=', 0), value('tokensLost', '<=', 0), value('rssMb', '<=', 250)],
  },
  openai50: {
    about: '/v1/chat/completions, 50 streams of 50 tokens/s each',
    peers: ['nginx'],
    plan: {...paced50, api: 'openai'},
    show: [
      'tokensPerSecond',
      'firstAddedUs.p50',
      'firstAddedUs.p99',
      'delayUs.p99',
      'cpuPerTokenUs',
    ],
    goals: [value('failed', '<=', 0), ratio('firstAddedUs.p50', 'nginx', '<=', 2.5)],
  },
  ssh50: {
    about: 'the node behind SSH beside the same node direct, 50 streams of 50 tokens/s each',
    ours: 'over-ssh',
    peers: ['over-tcp'],
    plan: {...paced50, api: 'chat'},
    show: ['tokensPerSecond', 'firstAddedUs.p50', 'firstAddedUs.p99', 'delayUs.p95', 'delayUs.p99'],
    goals: [
      value('failed', '<=', 0),
      ratio('tokensPerSecond', 'over-tcp', '>=', 0.99),
      ratio('firstAddedUs.p50', 'over-tcp', '<=', 2.5),
    ],
  },
  'ssh-bulk': {
    about: 'the node behind SSH beside the same node direct, 4 connections, answers of 4 MB',
    rounds: 3,
    ours: 'over-ssh',
    peers: ['over-tcp'],
    plan: {...whole, connections: 4, behaviour: {answerBytes: 4 * 1024 * 1024}},
    show: ['mbPerSecond', 'wholeUs.p50', 'cpuPerRequestUs'],
    goals: [value('failed', '<=', 0), ratio('mbPerSecond', 'over-tcp', '>=', 0.5)],
  },
  balance: {
    about: `${unequal}; the gateway is told of the slots`,
    ours: 'ollamax-4',
    ...balance,
    goals: [value('failed', '<=', 0), ratio('wholeUs.p95', 'nginx', '<=', 0.35)],
  },
  'balance-learn': {
    about: `${unequal}; the gateway finds the slots out by itself`,
    ours: 'ollamax-0',
    ...balance,
    rounds: 2,
    peers: [],
    goals: [value('failed', '<=', 0)],
  },
  'fail-refuse': oneNodeFails('refuse'),
  'fail-500': oneNodeFails('500'),
}

/** What a node does unless a work says otherwise. */
export const calm = {
  models: ['bench:latest'],
  tokens: 16,
  firstMs: 0,
  gapMs: 0,
  speed: 1,
  answerBytes: 0,
  slots: 0,
  queue: 0,
  fault: '',
  faultAfter: 0,
}
