import {spawn} from 'node:child_process'
import {chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import fc from 'fast-check'
import {describe, expect, onTestFinished, test} from 'vitest'
import {MachineParser} from '../../../src/lib/jobs/live/machine-parser.ts'
import {MACHINE} from '../../../src/lib/jobs/live/machine-script.ts'
import {waitFor} from '../../support/wait-for.ts'

/** Notes that it was called, beside itself. */
const ASKED = 'echo asked >>"$(dirname "$0")/asked"'

const read = (...lines: readonly string[]) =>
  new MachineParser().push(`${lines.join('\n')}\nend\n`, 7)

describe('what a machine prints', () => {
  test('becomes a reading', () => {
    const text = [
      ...['n=8', 'c=100 0 50 800 50 0 0 0 0 0', 'm=16000 4000', 'h=61500'],
      ...['d=/dev/sda1 1000 400 600 40% /', 'g=NVIDIA A100, 40960, 1024, 37, 55'],
      'a=17163091968,536870912,12,44000,Radeon PRO, W7900',
    ]
    expect(read(...text)).toEqual([
      {
        ...{atMs: 7, cores: 8, celsius: 61.5},
        memory: {totalBytes: 16000 * 1024, availableBytes: 4000 * 1024},
        disk: {totalBytes: 1000 * 1024, freeBytes: 600 * 1024},
        gpus: [
          {
            name: 'NVIDIA A100',
            vramBytes: {total: 40960 * 2 ** 20, used: 1024 * 2 ** 20},
            ...{busyShare: 0.37, celsius: 55},
          },
          {
            name: 'Radeon PRO, W7900',
            vramBytes: {total: 17163091968, used: 536870912},
            ...{busyShare: 0.12, celsius: 44},
          },
        ],
      },
    ])
  })

  test('gives the share of the processors between two looks, and none with the first', () => {
    const parser = new MachineParser()
    const [first] = parser.push('c=100 0 100 700 100\nend\n', 1)
    expect(first?.cpuShare).toBeUndefined()
    const [second] = parser.push('c=150 0 150 750 150\nend\n', 2)
    expect(second?.cpuShare).toBeCloseTo(0.5)
    // A machine that has started anew counts from the beginning.
    const [third] = parser.push('c=1 0 1 7 1\nend\n', 3)
    expect(third?.cpuShare).toBeUndefined()
  })

  test('is complete with its last word only, however it is cut', () => {
    const parser = new MachineParser()
    const text = 'n=4\nm=100 50\nend\nn=4\nm=100 60\n'
    const readings = [...text].flatMap((one) => parser.push(one, 1))
    expect(readings).toHaveLength(1)
    expect(parser.push('end\n', 2)).toMatchObject([{memory: {availableBytes: 60 * 1024}}])
  })

  test('holds what is asked seldom until it is asked again', () => {
    const parser = new MachineParser()
    parser.push('n=1\nd=x 100 40 60 40% /\ng=T4, 100, 1, 0, 40\nend\n', 1)
    const [later] = parser.push('n=1\nend\n', 2)
    expect(later).toMatchObject({disk: {freeBytes: 60 * 1024}, gpus: [{name: 'T4'}]})
    // The card is gone.
    expect(parser.push('n=1\ng=\nend\n', 3)[0]?.gpus).toEqual([])
  })

  test.each([
    ['g=NVIDIA GB10, [N/A], [N/A], 5, 40', [{name: 'NVIDIA GB10', busyShare: 0.05, celsius: 40}]],
    [
      'g=Tesla, 100, 50, [N/A], [N/A]',
      [{name: 'Tesla', vramBytes: {total: 104857600, used: 52428800}}],
    ],
    ['g=NVIDIA-SMI has failed because it could not communicate with the driver', []],
    ['g=Failed to initialize NVML: Driver/library version mismatch, a, b, c, d', []],
    ['g=', []],
    ['a=,,,,', []],
    ['a=100,50,,,AMD', [{name: 'AMD', vramBytes: {total: 100, used: 50}}]],
  ])('%s: a card is what tells its memory or its work', (line, gpus) => {
    expect(read('n=1', line)[0]?.gpus).toEqual(gpus)
  })

  test.each([
    ['n=0', 'cores'],
    ['n=a lot', 'cores'],
    ['m=0 0', 'memory'],
    ['m=100', 'memory'],
    ['m=-5 3', 'memory'],
    ['h=0', 'celsius'],
    ['h=-4000', 'celsius'],
    ['h=999999', 'celsius'],
    ['d=df: no such file', 'disk'],
    ['d=none 0 0 0 - /', 'disk'],
  ])('%s tells no %s', (line, field) => {
    expect(read('c=1 2 3 4', line)[0]).not.toHaveProperty(field)
  })

  test('that is nothing at all is no reading', () => {
    expect(read('')).toEqual([])
    expect(read('hello', 'x=1', '=', 'end of it')).toEqual([])
  })

  const line = fc.oneof(
    fc.string(),
    fc
      .tuple(fc.constantFrom('n', 'c', 'm', 'd', 'h', 'a', 'g'), fc.string())
      .map((it) => it.join('=')),
    fc
      .tuple(
        fc.constantFrom('n', 'c', 'm', 'd', 'h', 'a', 'g'),
        fc.array(fc.oneof(fc.integer(), fc.string())),
      )
      .map(([key, words]) => `${key}=${words.join(key === 'a' || key === 'g' ? ',' : ' ')}`),
    fc.constant('end'),
  )
  test('never throws and never tells a figure that cannot be', () => {
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat(50)), (lines, cuts) => {
        const parser = new MachineParser()
        let text = `${lines.join('\n')}\nend\n`
        const readings = cuts.flatMap((cut) => {
          const piece = text.slice(0, cut)
          text = text.slice(cut)
          return parser.push(piece, 1)
        })
        for (const one of [...readings, ...parser.push(text, 1)]) {
          const shares = [one.cpuShare, ...one.gpus.map(({busyShare}) => busyShare)]
          for (const share of shares)
            if (share !== undefined) expect(share >= 0 && share <= 1).toBe(true)
          for (const bytes of [one.memory?.totalBytes, one.disk?.totalBytes])
            if (bytes !== undefined) expect(Number.isSafeInteger(bytes) && bytes > 0).toBe(true)
          if (one.celsius !== undefined) expect(one.celsius > 0 && one.celsius < 200).toBe(true)
        }
      }),
      {numRuns: 500},
    )
  })
})

describe.each(['dash', 'bash'])('the script under %s', (shell) => {
  /** Runs it as sshd does, in a process group of its own. */
  function start(programs: Readonly<Record<string, string>> = {}) {
    const dir = mkdtempSync(join(tmpdir(), 'ollamax-machine-'))
    for (const [name, text] of Object.entries(programs)) {
      writeFileSync(join(dir, name), `#!/bin/sh\n${text}\n`)
      chmodSync(join(dir, name), 0o755)
    }
    const env = {...process.env, PATH: `${dir}:${process.env.PATH}`}
    const child = spawn(shell, ['-c', MACHINE, 'x', dir, '', '1'], {env, detached: true})
    const parser = new MachineParser()
    const readings: ReturnType<MachineParser['push']> = []
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      readings.push(...parser.push(text, Date.now()))
    })
    const group = child.pid ?? 0
    const lives = () => {
      try {
        process.kill(-group, 0)
        return true
      } catch {
        return false
      }
    }
    onTestFinished(() => {
      if (lives()) process.kill(-group, 'SIGKILL')
      rmSync(dir, {recursive: true, force: true})
    })
    return {child, readings, lives, dir}
  }

  test('tells of this machine, again and again', async () => {
    const {readings} = start()
    await waitFor('three readings', () => readings.length >= 3)
    const [, , third] = readings
    expect(third?.cores).toBeGreaterThan(0)
    expect(third?.cpuShare).toBeGreaterThanOrEqual(0)
    expect(third?.memory?.totalBytes).toBeGreaterThan(2 ** 28)
    expect(third?.disk?.freeBytes).toBeGreaterThan(0)
  })

  test('ends when its input does, and leaves nothing behind', async () => {
    const {child, readings, lives} = start()
    await waitFor('a reading', () => readings[0])
    child.stdin.end()
    await waitFor('all of it to be gone', () => !lives(), {timeoutMs: 5000})
  })

  test('tells cards by nvidia-smi, and asks one that takes long seldom', async () => {
    const {readings, dir} = start({
      'nvidia-smi': `${ASKED}; i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done; echo "NVIDIA T4, 15360, 100, 7, 33"; echo "NVIDIA T4, 15360, 200, 9, 34"`,
    })
    await waitFor('four readings', () => readings.length >= 4)
    expect(readings[3]?.gpus.map(({busyShare}) => busyShare)).toEqual([0.07, 0.09])
    expect(readFileSync(join(dir, 'asked'), 'utf8')).toBe('asked\n')
  })

  test('asks a broken nvidia-smi twice, and tells the rest all the same', async () => {
    const {readings, dir} = start({'nvidia-smi': `${ASKED}; exit 9`})
    await waitFor('six readings', () => readings.length >= 6)
    expect(readings.at(-1)).toMatchObject({gpus: []})
    expect(readFileSync(join(dir, 'asked'), 'utf8')).toBe('asked\nasked\n')
  })
})
