// The script of an inference process, from source: what `ollamax engine infer` is in the bundle.
import {runInferenceChild} from '../../src/lib/engine/infer/run-child.ts'

await runInferenceChild()
