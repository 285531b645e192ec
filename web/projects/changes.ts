import { useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'
import type { BodyOf } from '../../src/contract/endpoint.ts'
import { POLLUX_V1 } from '../../src/contract/pollux.v1.ts'
import { client } from '../session.ts'

type ProjectPatch = BodyOf<typeof POLLUX_V1.updateProject>

/** What can be done to a project. Each resolves when the server has done it and the screens know. */
export function useProjectChanges(project: string) {
  const queries = useQueryClient()
  return useMemo(() => {
    const params = { project }
    const told = async (change: Promise<unknown>): Promise<void> => {
      try {
        await change
      } catch (error) {
        // It may be refused because somebody else was first: what is stored is read again.
        void queries.invalidateQueries({ queryKey: ['projects'] })
        throw error
      }
      await Promise.all(
        ['projects', 'keys', 'limits'].map(name => queries.invalidateQueries({ queryKey: [name] })),
      )
    }
    return {
      /** Changes exactly the fields that are given. With an etag, only the project that was read. */
      update: (body: ProjectPatch) => {
        const mask = Object.keys(body).filter(field => field !== 'etag')
        return told(
          client.call(POLLUX_V1.updateProject, { params, query: { updateMask: mask.join(',') }, body }),
        )
      },
      delete: () => told(client.call(POLLUX_V1.deleteProject, { params, query: {} })),
      undelete: () => told(client.call(POLLUX_V1.undeleteProject, { params, body: {} })),
    }
  }, [queries, project])
}
