import {execFileSync} from 'node:child_process'
import {readFileSync} from 'node:fs'

export interface CertificateOptions {
  /** Private key file of the authority. */
  readonly authority: string
  /** Comma list; empty = none. */
  readonly names: string
  /** As `ssh-keygen -V` takes it. */
  readonly validity?: string
  readonly role?: 'host' | 'user'
  /** More arguments of ssh-keygen. */
  readonly more?: readonly string[]
}

/** Signs the public key beside `key` as an authority does; returns the certificate's file. */
export function makeCertificate(key: string, options: CertificateOptions): string {
  const {authority, names, validity, role = 'host', more = []} = options
  execFileSync('ssh-keygen', [
    '-q',
    ...['-s', authority, '-I', 'test'],
    ...(role === 'host' ? ['-h'] : []),
    ...(names === '' ? [] : ['-n', names]),
    ...(validity === undefined ? [] : ['-V', validity]),
    ...more,
    `${key}.pub`,
  ])
  return `${key}-cert.pub`
}

/** The two words of a public key file that known_hosts wants. */
export function publicWords(file: string): string {
  return readFileSync(file, 'utf8').split(' ').slice(0, 2).join(' ')
}

/** A public key or certificate in SSH wire form. */
export function publicBytes(file: string): Buffer {
  return Buffer.from(readFileSync(file, 'utf8').split(' ')[1] ?? '', 'base64')
}
