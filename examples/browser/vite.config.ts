import { defineConfig } from 'vite';

export default defineConfig({
  // The page may be put into any folder.
  base: './',
  server: { host: '127.0.0.1', port: 5173, strictPort: true },
  preview: { host: '127.0.0.1', port: 5173, strictPort: true },
  build: { target: 'es2023' },
});
