import {confirm, input, password, select} from '@inquirer/prompts'

/** In a file of its own, so that the library is loaded only when there is something to ask. */
export const prompts = {confirm, input, password, select}
