/** The screens of the audit trail, of the settings and of the frame, which show what the other furniture did. */
import type { Page } from 'playwright-core'

export const AUDIT_SCREENS = [
  {
    name: 'audit',
    path: '/audit',
    prepare: async (page: Page) => {
      await page
        .getByRole('button', { name: /^Set IAM policy/ })
        .first()
        .click()
      await page.getByRole('heading', { name: 'What it changed' }).waitFor()
    },
  },
  { name: 'audit-not-found', path: '/audit?principal=user:nobody@example.com' },
  { name: 'audit-find', path: '/audit/find' },
  {
    name: 'audit-verify',
    path: '/audit/verify',
    prepare: async (page: Page) => {
      await page.getByRole('button', { name: 'Verify the chain' }).click()
      await page.getByText('The trail is whole').waitFor()
    },
  },
] as const

export const FRAME_SCREENS = [
  { name: 'settings', path: '/settings' },
  {
    name: 'server-settings',
    path: '/settings/server',
    prepare: async (page: Page) => {
      await page.getByRole('button', { name: 'Seal anew and verify' }).click()
      await page.getByText('every secret there is').waitFor()
    },
  },
  {
    name: 'palette',
    path: '/keys',
    prepare: async (page: Page) => {
      await page.getByRole('button', { name: 'Go to…' }).click()
      await page.getByRole('combobox', { name: /^Name of/ }).fill('o')
      await page.getByRole('option', { name: /Order service/ }).waitFor()
    },
  },
  {
    name: 'notifications',
    path: '/keys',
    prepare: async (page: Page) => {
      await page.getByRole('button', { name: /^Notifications: \d/ }).click()
      await page.getByRole('heading', { name: 'Things to look at' }).waitFor()
    },
  },
  {
    name: 'no-answer',
    path: '/projects',
    prepare: async (page: Page) => {
      await page.route('**/readyz', route => route.abort())
      await page.getByText('No answer from Pollux').waitFor()
      await page.unroute('**/readyz')
    },
  },
] as const
