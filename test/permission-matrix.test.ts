import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { ENDPOINTS } from '../src/contract/table.ts'
import { allPermissions } from '../src/domain/permission.ts'
import { MATRIX_URL, PERMISSIONS_DOC_URL, matrixText, permissionsDoc } from './permission-matrix.ts'

it('reaches with each role exactly what test/permission-matrix.txt says (node test/permission-matrix.ts writes it)', () => {
  expect(matrixText()).toBe(readFileSync(MATRIX_URL, 'utf8'))
})

it('has its roles and permissions in docs/permissions.md (node test/permission-matrix.ts writes it)', () => {
  expect(permissionsDoc()).toBe(readFileSync(PERMISSIONS_DOC_URL, 'utf8'))
})

it('knows no permission that no route asks for', () => {
  const asked = new Set(ENDPOINTS.map(({ permission }) => permission))
  expect(allPermissions().filter(permission => !asked.has(permission))).toEqual([])
})
