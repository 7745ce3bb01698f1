import {expect, test} from 'vitest'
import {layoutFor, unitText} from '../../../src/lib/provision/layout.ts'
import {planRemoval, type Removal} from '../../../src/lib/provision/plan-removal.ts'
import {bareHost, runningUnit} from '../../support/facts.ts'

const ours = unitText(layoutFor('system', '/home/ops'))
const wish = {keepModels: false}
const titles = (removal: Removal) => removal.actions.map((action) => action.title)
const all = {user: 'created', link: '/usr/local/bin/ollama', unit: 'created', dropin: 'created'}

test('where nothing is of ours, nothing is taken away', () => {
  expect(planRemoval(bareHost(), wish).actions).toEqual([])
  expect(planRemoval(bareHost({system: runningUnit()}), wish).actions).toEqual([])
})

test('what we brought goes, the record of it last', () => {
  const system = runningUnit({unitText: ours, dropInText: 'x', manifest: all})
  const removal = planRemoval(
    bareHost({system, modelsPath: '/usr/share/ollama/.ollama/models'}),
    wish,
  )
  expect(titles(removal)).toEqual([
    'stop and remove the service',
    'remove the programs',
    'remove the user ollama',
    'remove what was staged',
    'remove the record of it',
  ])
  expect(removal).toMatchObject({left: [], restores: false})
})

test('models stay where they were there before, lie elsewhere, or are to be kept, and that is told', () => {
  const system = runningUnit({unitText: ours, manifest: all})
  const kept = planRemoval(bareHost({system}), {keepModels: true})
  expect(titles(kept)).not.toContain('remove the user ollama')
  expect(kept.left.join()).toContain('kept as you asked')
  const before = planRemoval(bareHost({system: {...system, manifest: {unit: 'created'}}}), wish)
  expect(titles(before)).not.toContain('remove the user ollama')
  expect(before.left.join()).toContain('was there before')
  const elsewhere = planRemoval(bareHost({system, modelsPath: '/data/models'}), wish)
  expect(elsewhere.left.join()).toContain('/data/models')
})

test('the service of someone else is given back, not removed', () => {
  const system = runningUnit({
    unitText: '[Unit]\n',
    dropInText: 'x',
    manifest: {dropin: 'created', enabled_before: 'disabled'},
  })
  const removal = planRemoval(bareHost({system}), wish)
  expect(titles(removal)[0]).toBe('give the service back as it was')
  expect(removal.actions[0]?.args).toContain('disabled')
  expect(titles(removal)).not.toContain('remove the user ollama')
  expect(removal.restores).toBe(true)
})

test('below an account nothing needs root, and its models are left', () => {
  const own = {
    ...runningUnit({manifest: {supervisor: 'created', linger: 'created'}}),
    supervisorText: 'x',
  }
  const removal = planRemoval(bareHost({own, user: 'joe'}), wish)
  expect(removal.actions.some((action) => action.root)).toBe(false)
  expect(titles(removal)).toContain('let the account not linger')
  expect(removal.left.join()).toContain('belong to the account joe')
})
