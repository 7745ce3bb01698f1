import {expect, test} from 'vitest'
import {differencesOf} from '../../../src/lib/desired/differences.ts'
import {planCluster} from '../../../src/lib/desired/plan-cluster.ts'
import {model, sshNode, state, tag} from '../../support/fleet-state.ts'

test('each difference is a key with what is wanted and what is there', () => {
  const nodes = ['a', 'b'].map((name) => sshNode(name))
  const setup = {
    steps: ['write the drop-in', 'start Ollama'],
    changes: [
      {key: 'version', wanted: '0.33.1', actual: '0.33.0'},
      {key: 'env.OLLAMA_OLD', wanted: undefined, actual: '1'},
    ],
    texts: [],
    problems: [],
  }
  const models = [model('m', {replicas: 3, warm: true, context: 8192}), model('n')]
  const states = [
    state('a', {models: [tag('m', 1), tag('x', 1)], setup}),
    state('b', {models: [tag('n', 1)]}),
  ]
  expect(differencesOf(planCluster({nodes, models}, states, {prune: true}))).toEqual([
    {node: 'a', key: 'version', wanted: '0.33.1', actual: '0.33.0'},
    {node: 'a', key: 'env.OLLAMA_OLD', wanted: '-', actual: '1'},
    {node: 'b', key: 'model m', wanted: 'there', actual: '-'},
    {
      ...{node: 'b', key: 'memory m'},
      ...{wanted: 'loaded, context 8192', actual: 'it is to be kept in memory'},
    },
    {node: 'a', key: 'model x', wanted: '-', actual: 'there'},
    {node: '-', key: 'replicas m', wanted: '3', actual: '2'},
  ])
})
