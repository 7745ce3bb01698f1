import {createServer, request} from 'node:http'
import type {AddressInfo} from 'node:net'
import {onTestFinished} from 'vitest'

/** Stands before a node and counts the inferences that are under way at once; ends with the test. */
export async function countedNode(node: {readonly url: string}) {
  let now = 0
  let peak = 0
  const server = createServer((incoming, response) => {
    const counts = incoming.url === '/api/generate'
    if (counts) peak = Math.max(peak, ++now)
    const {method, headers} = incoming
    const sent = request(`${node.url}${incoming.url}`, {method, headers}, (got) => {
      response.writeHead(got.statusCode ?? 0, got.rawHeaders)
      got.on('data', (chunk) => response.write(chunk))
      got.once('end', () => {
        // Before the client can know that it has ended.
        if (counts) now--
        response.end()
      })
    })
    sent.once('error', () => response.destroy())
    incoming.pipe(sent)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  const {port} = server.address() as AddressInfo
  return {url: `http://127.0.0.1:${port}`, peak: () => peak}
}
