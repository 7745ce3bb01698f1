import {Flags} from '@oclif/core'

/** On the commands that fetch the embedded node's model. */
export const modelFlags = () => ({
  gguf: Flags.string({
    summary: 'model file (GGUF) to use, left where it lies',
    helpValue: 'FILE',
    exclusive: ['url'],
  }),
  url: Flags.string({
    summary: 'address to download the model file from; needs --sha256',
    helpValue: 'URL',
    dependsOn: ['sha256'],
  }),
  sha256: Flags.string({summary: 'hash of what --url sends', helpValue: 'HEX', dependsOn: ['url']}),
})
