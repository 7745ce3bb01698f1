import {modelKey} from '../cluster/model-name.ts'
import type {Cluster} from '../cluster/node.ts'
import {OllamaxError} from '../errors.ts'

/** MODEL_PINNED for a model that the cluster file pins: `verb` is what is not done to it. */
export function refusePinned({models}: Pick<Cluster, 'models'>, model: string, verb: string): void {
  const found = models?.find(({name, pin}) => pin && modelKey(name) === modelKey(model))
  if (!found) return
  throw new OllamaxError('MODEL_PINNED', `${found.name} is pinned, so it is not ${verb}`, {
    suggestions: [`take the pin away: ollamax model pin ${found.name} --off`],
    details: {model: found.name},
  })
}
