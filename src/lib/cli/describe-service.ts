/** As `ServiceResult`, as far as it is printed. */
export interface ShownService {
  readonly action: 'install' | 'uninstall'
  readonly file: string
  readonly unit: string | null
  readonly steps: readonly string[]
  readonly applied: boolean
  readonly url: string | null
  readonly log: string
}

/** What was done, or the plan. */
export function describeService(of: ShownService): string {
  const {action, file, unit, steps, applied, url, log} = of
  if (applied)
    return action === 'install'
      ? `the gateway answers at ${url}, and does so from boot on\nits log: ${log}`
      : `removed ${file}`
  if (steps.length === 0)
    return action === 'install'
      ? `nothing to do: ${file} is as it should be`
      : 'no service is installed'
  const plan = ['would take these steps:', ...steps.map((step) => `  ${step}`)]
  return [...(unit === null ? [] : [`${file}:`, '', unit]), ...plan].join('\n')
}
