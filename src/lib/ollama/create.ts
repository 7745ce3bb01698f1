import {Readable} from 'node:stream'
import {type CallOptions, lastStatus} from './client.ts'
import type {Endpoint} from './endpoint.ts'
import {endedEarly, replyError} from './errors.ts'
import {expectOk, openRequest} from './request.ts'

/** Whether a node has a file of that digest (`sha256:` and 64 hex digits). */
export async function hasBlob(
  endpoint: Endpoint,
  digest: string,
  options: CallOptions,
): Promise<boolean> {
  const path = `/api/blobs/${digest}`
  const response = await openRequest(endpoint, {method: 'HEAD', path, ...options})
  response.abort()
  if (response.status === 404) return false
  if (response.status === 200) return true
  throw replyError(response.status, '')
}

/** Sends a file to a node, which checks its digest itself. */
export async function uploadBlob(
  endpoint: Endpoint,
  blob: {
    readonly digest: string
    readonly sizeBytes: number
    readonly bytes: AsyncIterable<Buffer>
  },
  options: CallOptions,
): Promise<void> {
  const response = await openRequest(endpoint, {
    method: 'POST',
    path: `/api/blobs/${blob.digest}`,
    headers: {
      'content-type': 'application/octet-stream',
      'content-length': String(blob.sizeBytes),
    },
    body: Readable.from(blob.bytes, {objectMode: false}),
    ...options,
  })
  await expectOk(response)
  response.abort()
}

/** Makes a model of what /api/create is told; returns after `success`. NODE_ERROR in the node's own words. */
export async function createModelOn(
  endpoint: Endpoint,
  request: {readonly model: string} & Readonly<Record<string, unknown>>,
  options: CallOptions,
): Promise<void> {
  if ((await lastStatus(endpoint, '/api/create', {request, options})) !== 'success')
    throw endedEarly()
}
