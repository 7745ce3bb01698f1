import type {ClusterAction} from '../desired/cluster-plan.ts'
import {describeAction, reasonOf} from '../desired/describe-action.ts'
import type {DesiredPlan} from '../jobs/desired/plan-desired.ts'
import {forPeople} from './output.ts'
import {colorsOn, oneLine, paint} from './paint.ts'

/**
 * On a terminal a block per wave, with the reason below each action; otherwise one line per action: wave, node, kind,
 * model, what, why, parted by tabs, `-` for no model. '' for a plan without actions.
 */
export function describePlan({waves}: Pick<DesiredPlan, 'waves'>): string {
  if (!forPeople())
    return waves
      .flatMap(({actions}, at) =>
        actions.map((action) =>
          [
            `${at + 1}`,
            action.node,
            action.kind,
            modelOf(action),
            describeAction(action),
            reasonOf(action),
          ]
            .map(oneLine)
            .join('\t'),
        ),
      )
      .join('\n')
  const color = colorsOn(process.stdout, process.env)
  return waves
    .flatMap(({title, actions}, at) => [
      paint('strong', `${at + 1}. ${title}`, color),
      ...actions.flatMap((action) => [
        `   ${oneLine(action.node)}: ${oneLine(describeAction(action))}`,
        `      ${paint('dim', oneLine(reasonOf(action)), color)}`,
      ]),
    ])
    .join('\n')
}

const modelOf = (action: ClusterAction) => (action.kind === 'setup' ? '-' : action.model)

/** Where every wanted model lies or is to lie, and why: one line each, model, node, `has` or `gets`, reason. */
export function describeReplicas({replicas}: Pick<DesiredPlan, 'replicas'>): string {
  return replicas
    .map(({model, node, kept, why}) =>
      [model, node, kept ? 'has' : 'gets', why].map(oneLine).join('\t'),
    )
    .join('\n')
}
