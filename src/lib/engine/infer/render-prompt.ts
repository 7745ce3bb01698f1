import type {Jinja} from './llama-library.ts'
import type {ChatMessage} from './messages.ts'

/** What a template may refer to. */
export interface TemplateModel {
  /** The Jinja chat template of the model file, if it has one. */
  readonly template: string | undefined
  readonly bos: string
  readonly eos: string
}

/**
 * SmolLM2's template puts this in front of a conversation that has no system message, and its small
 * versions then answer nonsense (seen: French loops); without it they answer.
 */
const HARMFUL_SYSTEM =
  '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n'

/** The text that asks a model for the next message of a conversation. */
export function renderPrompt(
  jinja: Jinja,
  model: TemplateModel,
  messages: readonly ChatMessage[],
): string {
  if (!model.template) return messages.map((message) => message.content).join('\n')
  const text = new jinja.Template(model.template).render({
    messages,
    add_generation_prompt: true,
    bos_token: model.bos,
    eos_token: model.eos,
  })
  return text.startsWith(HARMFUL_SYSTEM) && messages[0]?.role !== 'system'
    ? text.slice(HARMFUL_SYSTEM.length)
    : text
}
