import { useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'
import type { BodyOf } from '../../src/contract/endpoint.ts'
import { POLLUX_V1 } from '../../src/contract/pollux.v1.ts'
import type { KeyPlace } from '../paths.ts'
import { client } from '../session.ts'

type KeyPatch = BodyOf<typeof POLLUX_V1.updateKey>

/** What can be done to a key. Each resolves when the server has done it and the screens know. */
export function useKeyChanges({ project, key }: KeyPlace) {
  const queries = useQueryClient()
  return useMemo(() => {
    const params = { project, key }
    const told = async (change: Promise<unknown>): Promise<void> => {
      try {
        await change
      } catch (error) {
        // It may be refused because somebody else was first: what is stored is read again.
        void queries.invalidateQueries({ queryKey: ['keys'] })
        throw error
      }
      await queries.invalidateQueries({ queryKey: ['keys'] })
    }
    return {
      /** Changes exactly the fields that are given; null clears one. With an etag, only the key that was read. */
      update: (body: KeyPatch) => {
        const mask = Object.keys(body).filter(field => field !== 'etag')
        const query = { updateMask: mask.join(',') }
        return told(client.call(POLLUX_V1.updateKey, { params, query, body }))
      },
      disable: () => told(client.call(POLLUX_V1.disableKey, { params })),
      enable: () => told(client.call(POLLUX_V1.enableKey, { params })),
      delete: () => told(client.call(POLLUX_V1.deleteKey, { params, query: {} })),
      undelete: () => told(client.call(POLLUX_V1.undeleteKey, { params })),
    }
  }, [queries, project, key])
}
