import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {type TempHome, tempHome} from './temp-home.ts'

/** A temp home whose default cluster has these direct nodes, called n1, n2... */
export function clusterHome(nodes: readonly {readonly url: string}[]): TempHome {
  const home = tempHome()
  const clusters = join(home.env.OLLAMAX_HOME ?? home.dir, 'clusters')
  mkdirSync(clusters, {recursive: true})
  const lines = nodes.map(({url}, at) => `  - name: n${at + 1}\n    url: ${url}\n`)
  const list = lines.length > 0 ? `nodes:\n${lines.join('')}` : 'nodes: []\n'
  writeFileSync(join(clusters, 'default.yaml'), `apiVersion: ollamax/v1\nkind: Cluster\n${list}`)
  return home
}
