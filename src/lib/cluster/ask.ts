/** How a job asks the person at the terminal. Without a terminal each throws NEEDS_TTY with the flag to use. */
export interface Ask {
  /** False: nobody can be asked. */
  readonly interactive: boolean
  /** Input is not echoed. `without` says what to pass instead where there is no terminal. */
  secret(question: string, without: string): Promise<string>
  confirm(question: string, without: string): Promise<boolean>
  text(question: string, without: string): Promise<string>
  choose(
    question: string,
    choices: readonly {readonly value: string; readonly name: string}[],
    without: string,
  ): Promise<string>
}
