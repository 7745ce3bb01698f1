import type {Press} from './keys.ts'
import {completed, type Effect, press} from './press.ts'
import {type ChatEvent, type ChatState, type Completions, reduce} from './state.ts'

/** Holds the state outside React, which subscribes to it. What keys ask for goes to `onEffect`. */
export class ChatStore {
  readonly #onEffect: (effect: Effect) => void
  readonly #listeners = new Set<() => void>()
  #state: ChatState

  constructor(state: ChatState, onEffect: (effect: Effect) => void) {
    this.#state = state
    this.#onEffect = onEffect
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  readonly snapshot = (): ChatState => this.#state

  readonly dispatch = (event: ChatEvent): void => this.#become(reduce(this.#state, event))

  readonly press = (key: Press): void => {
    const [state, effect] = press(this.#state, key)
    this.#become(state)
    if (effect) this.#onEffect(effect)
  }

  /** Puts in what was found for a text, unless somebody has typed on meanwhile. */
  complete(before: string, found: Completions): void {
    const {editor, search} = this.#state
    if (!search && editor.text.slice(0, editor.at) === before)
      this.#become(completed(this.#state, found))
  }

  #become(state: ChatState): void {
    if (state === this.#state) return
    this.#state = state
    for (const listener of this.#listeners) listener()
  }
}
