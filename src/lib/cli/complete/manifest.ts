/** What completion and the manual read of oclif.manifest.json. */
export interface Manifest {
  readonly commands: Readonly<Record<string, ManifestCommand>>
}

export interface ManifestCommand {
  readonly hidden?: boolean
  readonly summary?: string
  readonly description?: string
  readonly examples?: readonly string[]
  readonly strict?: boolean
  /** In the order of the command line. */
  readonly args: Readonly<Record<string, ManifestArg>>
  readonly flags: Readonly<Record<string, ManifestFlag>>
}

export interface ManifestArg {
  readonly name: string
  readonly description?: string
  readonly required?: boolean
  readonly multiple?: boolean
  readonly options?: readonly string[]
}

export interface ManifestFlag {
  readonly name: string
  readonly type: 'boolean' | 'option'
  readonly char?: string
  readonly summary?: string
  readonly description?: string
  readonly default?: unknown
  readonly env?: string
  readonly helpValue?: string | readonly string[]
  readonly helpGroup?: string
  readonly hidden?: boolean
  readonly multiple?: boolean
  readonly delimiter?: string
  readonly allowNo?: boolean
  readonly options?: readonly string[]
  readonly exclusive?: readonly string[]
}
