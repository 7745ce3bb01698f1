// A client on the operator's side of a lab: sends that many requests, so many at once, and prints what came of them.
//   load-child.ts URL COUNT AT_ONCE [HEADER=VALUE]
import {ask, askMany} from '../support/load.ts'

const [url = '', count = '1', atOnce = '1', header = ''] = process.argv.slice(2)
const [name = '', value = ''] = header.split('=')
const headers = name ? {[name]: value} : {}
const body = {model: 'tiny', messages: [{role: 'user', content: 'why is the sky blue '.repeat(8)}]}
const all = await askMany(Number(count), Number(atOnce), () => ask(url, body, {headers}))
process.stdout.write(JSON.stringify(all))
