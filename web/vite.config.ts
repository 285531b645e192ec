import { join } from 'node:path'
import react from '@vitejs/plugin-react'
import type { InlineConfig } from 'vite'
import { contractWithoutSchemas } from './contract-plugin.ts'

const config: InlineConfig = {
  root: import.meta.dirname,
  base: '/',
  configFile: false,
  logLevel: 'warn',
  plugins: [contractWithoutSchemas(join(import.meta.dirname, '..', 'src', 'contract')), react()],
  build: {
    outDir: join(import.meta.dirname, '..', 'dist', 'console'),
    emptyOutDir: true,
    rolldownOptions: { input: join(import.meta.dirname, 'console.html') },
    target: 'es2023',
    // A module preload polyfill would be an inline script; every browser that knows Trusted Types has preloading.
    modulePreload: { polyfill: false },
    // Inlined files would be data: URLs, which the page's policy refuses.
    assetsInlineLimit: 0,
    manifest: 'manifest.json',
    chunkSizeWarningLimit: 700,
  },
}

export default config
