import type {EngineModel, ModelCard} from '../model/model-card.ts'
import type {LoadedState} from './runner.ts'

/** What the engine says about its one model. */
export interface Served {
  readonly model: EngineModel
  readonly card: ModelCard
  readonly modifiedAt: string
}

function details(card: ModelCard) {
  return {
    parent_model: '',
    format: 'gguf',
    family: card.family,
    families: [card.family],
    parameter_size: card.parameterSize,
    quantization_level: card.quantization,
    context_length: card.contextLength,
    embedding_length: card.embeddingLength,
  }
}

export function tags({model, card, modifiedAt}: Served) {
  return {
    models: [
      {
        name: model.name,
        model: model.name,
        modified_at: modifiedAt,
        size: model.sizeBytes,
        digest: model.sha256,
        details: details(card),
        capabilities: card.capabilities,
      },
    ],
  }
}

export function ps({model, card}: Served, loaded: LoadedState | undefined) {
  if (!loaded) return {models: []}
  // Ollama shows "for ever" as a year that its int64 of nanoseconds just holds.
  const expires =
    loaded.expiresAtMs === Infinity
      ? '2319-01-01T00:00:00Z'
      : new Date(loaded.expiresAtMs).toISOString()
  return {
    models: [
      {
        name: model.name,
        model: model.name,
        size: loaded.memoryBytes,
        digest: model.sha256,
        details: details(card),
        expires_at: expires,
        size_vram: 0,
        context_length: loaded.numCtx,
      },
    ],
  }
}

export function show({model, card, modifiedAt}: Served) {
  return {
    ...(card.license === undefined ? {} : {license: card.license}),
    modelfile: `FROM ${model.path}\n`,
    parameters: '',
    template: card.template,
    details: details(card),
    model_info: card.info,
    capabilities: card.capabilities,
    modified_at: modifiedAt,
  }
}
