import type {FleetModel} from './fleet-models.ts'
import {fitsGlob} from './glob.ts'

/** What is looked for; all of it must hold. */
export interface ModelQuery {
  /** A glob for the whole name where it holds `*` or `?`, otherwise a part of it. */
  readonly text?: string
  readonly family?: string
  readonly capabilities: readonly string[]
  readonly minBytes?: number
  readonly maxBytes?: number
}

/** The models that fit, in their order. Case does not matter; what is unknown does not fit. */
export function searchModels(models: readonly FleetModel[], query: ModelQuery): FleetModel[] {
  const text = query.text?.toLowerCase() ?? ''
  const {minBytes = 0, maxBytes = Number.POSITIVE_INFINITY} = query
  return models.filter((model) => {
    const name = model.name.toLowerCase()
    const size = model.versions[0]?.sizeBytes ?? 0
    return (
      (/[*?]/.test(text) ? fitsGlob(text, name) : name.includes(text)) &&
      (query.family === undefined || model.family?.toLowerCase() === query.family.toLowerCase()) &&
      query.capabilities.every((one) => model.capabilities?.includes(one.toLowerCase())) &&
      size >= minBytes &&
      size <= maxBytes
    )
  })
}
