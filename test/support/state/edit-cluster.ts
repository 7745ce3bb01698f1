// Adds nodes to the cluster "lab": one of the given name, or (with "+") one after the other until killed.
import {editCluster} from '../../../src/lib/state/edit.ts'
import {pathsFor} from '../../../src/lib/state/paths.ts'

const [name = ''] = process.argv.slice(2)
const where = {paths: pathsFor(process.env), name: 'lab'}
const add = (node: (count: number) => string) =>
  editCluster(where, (edit) => {
    const added = node(edit.cluster.nodes.length)
    edit.addNode({kind: 'embedded', name: added, labels: {}, drained: false, ollama: {}})
    return added
  })

if (name === '+') for (;;) console.log(await add((count) => `n${count}`))
else console.log(await add(() => name))
