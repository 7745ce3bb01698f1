// A file of its own, so that the library is loaded only when there is something to ask.
export {confirm, input, password, select} from '@inquirer/prompts'
