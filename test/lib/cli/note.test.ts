import type {Config} from '@oclif/core'
import {afterEach, expect, test} from 'vitest'
import {BaseCommand} from '../../../src/lib/cli/base-command.ts'

class Noting extends BaseCommand {
  order: string[] = []

  async run(): Promise<void> {
    await this.withProgress('json', async (report) => {
      report({kind: 'start', subject: 'gpu-1', step: 'connect'})
      this.note('the key a\u001bb is not used')
    })
    this.drawn.suspend = () => {
      this.order.push('taken away')
      return () => void this.order.push('back')
    }
    this.note('outside')
  }
}

const write = process.stderr.write
afterEach(() => {
  process.stderr.write = write
})

test('a note goes through what draws: an event among events, never into the middle of a frame', async () => {
  const command = new Noting([], {} as Config)
  let text = ''
  process.stderr.write = (chunk) => {
    text += chunk
    command.order.push('written')
    return true
  }
  await command.run()
  const [start = '', note = '', outside] = text.split('\n')
  expect(JSON.parse(start)).toMatchObject({kind: 'start'})
  expect(JSON.parse(note)).toMatchObject({kind: 'note', text: 'the key a\u001bb is not used'})
  expect(outside).toBe('outside')
  expect(command.order.slice(-3)).toEqual(['taken away', 'written', 'back'])
})
