import {nodesOf} from '../fleet.ts'
import {fieldLines, heading, type TextLine} from '../lines.ts'
import {modelsOf, versionLines} from '../lists/models.ts'
import type {TopState} from '../state.ts'
import {bytes} from '../words.ts'

/** Where a model lies, where it is loaded, and whether it is the same everywhere. */
export function modelLines(state: TopState, name: string): readonly TextLine[] {
  const model = modelsOf(nodesOf(state.fleet)).find((one) => one.name === name)
  if (!model) return [[{text: `no node has ${name} any more`, tone: 'warn'}]]
  const {columns} = state.size
  const replicas = model.versions.reduce((sum, {nodes}) => sum + nodes.length, 0)
  return [
    ...fieldLines(
      [
        ['model', model.name],
        ['size', bytes(model.versions[0]?.sizeBytes)],
        ['replicas', `${replicas} of ${state.fleet.order.length} nodes`],
        ['loaded on', model.loaded.length === 0 ? 'no node' : model.loaded.join(', ')],
        [
          'drift',
          model.drift
            ? `${model.versions.length} versions under one name: ollamax model sync makes them one`
            : 'none: the same everywhere',
          model.drift ? 'warn' : 'good',
        ],
      ],
      columns,
    ),
    ...heading(model.drift ? 'Versions, the most frequent first' : 'Where it lies'),
    ...fieldLines(
      versionLines(model).map(({digest, text}) => [
        digest.replace(/^sha256:/, '').slice(0, 12),
        text,
      ]),
      columns,
    ),
  ]
}
