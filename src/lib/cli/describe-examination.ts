import type {Diagnosis, Finding} from '../cluster/finding.ts'
import type {Examination} from '../jobs/doctor/run-doctor.ts'
import {forPeople} from './output.ts'
import {colorsOn, oneLine, paint, type Tone} from './paint.ts'

const TONES: Readonly<Record<Finding['severity'], Tone>> = {
  error: 'bad',
  warning: 'warn',
  info: 'dim',
}

/**
 * On a terminal a block per node; otherwise one line per finding: subject, severity, check, what, cause,
 * next, parted by tabs, `-` for what is unknown.
 */
export function describeExamination(examination: Examination): string {
  const {stdout, env} = process
  if (forPeople()) {
    const color = colorsOn(stdout, env)
    return examination.diagnoses.map((diagnosis) => block(diagnosis, color)).join('\n')
  }
  return examination.diagnoses
    .flatMap(({subject, findings}) =>
      findings.map(({severity, check, text, cause = '-', next = '-'}) =>
        [subject, severity, check, text, cause, next].map(oneLine).join('\t'),
      ),
    )
    .join('\n')
}

function block({subject, findings}: Diagnosis, color: boolean): string {
  const head = paint('strong', subject, color)
  if (findings.length === 0) return `${head}\n  ${paint('good', '✔', color)} nothing found`
  const lines = findings.flatMap(({severity, text, cause, next}) => [
    `  ${paint(TONES[severity], severity.padEnd(8), color)} ${oneLine(text)}`,
    ...(cause === undefined ? [] : [`           cause: ${oneLine(cause)}`]),
    ...(next === undefined ? [] : [`           next:  ${oneLine(next)}`]),
  ])
  return [head, ...lines].join('\n')
}
