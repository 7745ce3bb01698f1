import {resolveAlias} from '../../cluster/alias.ts'
import type {FleetModel} from '../../cluster/fleet-models.ts'
import {modelKey} from '../../cluster/model-name.ts'
import {nearest} from '../../cluster/nearest.ts'
import {OllamaxError} from '../../errors.ts'
import {listModels} from '../../jobs/list-models.ts'
import {showModel} from '../../jobs/show-model.ts'
import type {Tools} from '../../jobs/tools.ts'

const ALL = {names: [], labels: []}
/** Models come and go; what was read is taken for true this long. */
const FRESH_MS = 30_000

/** What models the fleet has, asked when somebody wants to know it and not before. */
export class ChatFleet {
  readonly #tools: Tools
  #read: {readonly atMs: number; readonly models: Promise<readonly FleetModel[]>} | undefined

  constructor(tools: Tools) {
    this.#tools = tools
  }

  /** Names to choose from: models and the cluster's aliases. */
  async names(): Promise<string[]> {
    const {aliases = {}} = await this.#tools.cluster()
    const models = await this.#models()
    return [...models.map(({name}) => name.replace(/:latest$/, '')), ...Object.keys(aliases)].sort()
  }

  /** What there is to say of a model that was chosen; undefined: it is there. */
  async doubt(model: string): Promise<string | undefined> {
    const {found, models} = await this.#find(model)
    if (found || models.length === 0) return undefined
    const near = nearest(model, await this.names())
    return `no node has it now${near ? `; did you mean ${near}?` : ''}`
  }

  /** BAD_INPUT if the nodes say that the model cannot see pictures. Where none says anything, it may try. */
  async refuseBlind(model: string): Promise<void> {
    const {found, models} = await this.#find(model)
    if (!found) return
    // Before 0.33 a node tells it only of one model at a time.
    const able =
      found.capabilities ?? (await showModel(this.#tools, {model: found.name})).capabilities
    if (!able || able.includes('vision')) return
    const seeing = models.filter(({capabilities}) => capabilities?.includes('vision'))
    throw new OllamaxError(
      'BAD_INPUT',
      `${model} cannot see pictures (it is for ${able.join(', ') || 'nothing that it names'})`,
      {
        suggestions:
          seeing.length > 0
            ? [`/model ${seeing.map(({name}) => name.replace(/:latest$/, '')).join(', /model ')}`]
            : ['no model of this fleet can; ollamax model pull one that does'],
      },
    )
  }

  async #find(model: string) {
    const key = modelKey(resolveAlias(await this.#tools.cluster(), model))
    const models = await this.#models()
    return {models, found: models.find(({name}) => modelKey(name) === key)}
  }

  async #models(): Promise<readonly FleetModel[]> {
    const nowMs = Date.now()
    if (!this.#read || nowMs - this.#read.atMs > FRESH_MS) {
      const models = listModels(this.#tools, ALL).then((listed) => listed.models)
      this.#read = {atMs: nowMs, models}
      models.catch(() => {
        this.#read = undefined
      })
    }
    return this.#read.models
  }
}
