import '@fontsource-variable/hanken-grotesk/index.css'
import '@fontsource-variable/spline-sans-mono/index.css'
import './theme/tokens.css'
import './theme/elements.css'
import { QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { queryClient } from './queries.ts'
import { Routes } from './routes.tsx'
import { applyTheme } from './theme/theme.ts'
import { Toasts } from './ui/toast.tsx'

applyTheme()
const root = document.querySelector('#root')
if (root === null) throw new Error('The page has no #root.')
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <Routes />
      <Toasts />
    </QueryClientProvider>
  </StrictMode>,
)
