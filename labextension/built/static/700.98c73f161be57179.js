"use strict";(self.rspackChunkstudio_workbench=self.rspackChunkstudio_workbench||[]).push([[700],{646(o,t,r){var e=r(601),n=r.n(e),i=r(314),a=(r.n(i))()(n());a.push([o.id,`.studio-mod-failed { color: var(--jp-error-color1); }
.studio-Button {
  padding: 3px 10px; border: 1px solid var(--jp-border-color1); border-radius: 4px;
  background: var(--jp-layout-color1); color: var(--jp-ui-font-color1);
  font: inherit; font-size: var(--jp-ui-font-size1); cursor: pointer;
}
.studio-Button:hover { background: var(--jp-layout-color2); }
.studio-Button:disabled { opacity: 0.5; cursor: default; }
.studio-Button.studio-mod-primary {
  border-color: var(--jp-brand-color1); background: var(--jp-brand-color1); color: var(--jp-ui-inverse-font-color0, #fff);
}
.studio-Panel { display: flex; flex-direction: column; background: var(--jp-layout-color1); }
.studio-Panel-note { display: flex; gap: 8px; align-items: center; padding: 12px 16px; color: var(--jp-ui-font-color2); }
.studio-Panel-view { overflow: auto; padding: 8px 16px; height: 100%; box-sizing: border-box; }
.studio-Panel-view .jp-OutputArea-prompt, .studio-Panel-view .jp-OutputPrompt { display: none; }
.studio-Panel-view .jp-OutputArea-output { padding: 0; }

.studio-Home { overflow: auto; background: var(--jp-layout-color1); color: var(--jp-ui-font-color1); font-size: var(--jp-ui-font-size1); }
.studio-Home-page { max-width: 860px; margin: 0 auto; padding: 40px 24px; }
.studio-Home-title { margin: 0; font-size: 28px; font-weight: 500; }
.studio-Home-lead { margin: 4px 0 20px; font-size: 15px; color: var(--jp-ui-font-color2); }
.studio-Home-hint { display: flex; gap: 10px; align-items: center; flex-wrap: wrap; margin: 0 0 8px; color: var(--jp-ui-font-color2); }
.studio-Home h2 { margin: 28px 0 10px; font-size: 15px; font-weight: 500; }
.studio-Home-cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); gap: 12px; }
.studio-Card {
  display: flex; flex-direction: column; gap: 6px; padding: 14px; text-align: left; cursor: pointer; font: inherit;
  border: 1px solid var(--jp-border-color2); border-radius: 6px; background: var(--jp-layout-color1); color: inherit;
  overflow-wrap: anywhere;
}
.studio-Card:hover, .studio-Card:focus-visible { border-color: var(--jp-brand-color1); }
.studio-Card span { color: var(--jp-ui-font-color2); }

.studio-Sidebar { overflow: auto; padding: 8px 12px; background: var(--jp-layout-color1); color: var(--jp-ui-font-color1); font-size: var(--jp-ui-font-size1); }
.studio-Sidebar-head { display: flex; justify-content: space-between; align-items: center; }
.studio-Sidebar h2 { margin: 4px 0; font-size: 16px; font-weight: 500; }
.studio-Sidebar h3 { margin: 16px 0 4px; font-size: 11px; font-weight: 600; letter-spacing: 0.04em; text-transform: uppercase; color: var(--jp-ui-font-color2); }
.studio-Sidebar-nothing { margin: 4px 0; color: var(--jp-ui-font-color2); }
.studio-Row {
  display: flex; flex-direction: column; gap: 2px; width: 100%; padding: 6px 8px; box-sizing: border-box;
  border: 0; border-radius: 4px; background: none; color: inherit; font: inherit; text-align: left; overflow-wrap: anywhere;
}
button.studio-Row { cursor: pointer; }
button.studio-Row:hover { background: var(--jp-layout-color2); }
.studio-Row-line { display: flex; justify-content: space-between; gap: 8px; }
.studio-Row-name { font-weight: 500; }
.studio-Row-name.studio-mod-link { padding: 0; border: 0; background: none; color: inherit; font: inherit; font-weight: 500; text-align: left; cursor: pointer; }
.studio-Row-name.studio-mod-link:hover { text-decoration: underline; }
.studio-Row-detail { color: var(--jp-ui-font-color2); font-size: 12px; }
.studio-Row-actions { display: flex; gap: 6px; }
.studio-Row-actions:empty { display: none; }
.studio-State { flex: none; font-size: 11px; color: var(--jp-ui-font-color2); }
.studio-State.studio-mod-running { color: var(--jp-brand-color1); }
.studio-State.studio-mod-done { color: var(--jp-success-color0, var(--jp-success-color1)); }
.studio-Progress { width: 100%; height: 6px; accent-color: var(--jp-brand-color1); }
.studio-Sidebar :focus-visible, .studio-Home :focus-visible { outline: 2px solid var(--jp-brand-color1); outline-offset: 1px; }
`,""]),r.d(t,{},{A:a})},314(o){o.exports=function(o){var t=[];return t.toString=function(){return this.map(function(t){var r="",e=void 0!==t[5];return t[4]&&(r+="@supports (".concat(t[4],") {")),t[2]&&(r+="@media ".concat(t[2]," {")),e&&(r+="@layer".concat(t[5].length>0?" ".concat(t[5]):""," {")),r+=o(t),e&&(r+="}"),t[2]&&(r+="}"),t[4]&&(r+="}"),r}).join("")},t.i=function(o,r,e,n,i){"string"==typeof o&&(o=[[null,o,void 0]]);var a={};if(e)for(var s=0;s<this.length;s++){var u=this[s][0];null!=u&&(a[u]=!0)}for(var d=0;d<o.length;d++){var p=[].concat(o[d]);e&&a[p[0]]||(void 0!==i&&(void 0===p[5]||(p[1]="@layer".concat(p[5].length>0?" ".concat(p[5]):""," {").concat(p[1],"}")),p[5]=i),r&&(p[2]&&(p[1]="@media ".concat(p[2]," {").concat(p[1],"}")),p[2]=r),n&&(p[4]?(p[1]="@supports (".concat(p[4],") {").concat(p[1],"}"),p[4]=n):p[4]="".concat(n)),t.push(p))}},t}},601(o){o.exports=function(o){return o[1]}},72(o){var t=[];function r(o){for(var r=-1,e=0;e<t.length;e++)if(t[e].identifier===o){r=e;break}return r}function e(o,e){for(var n={},i=[],a=0;a<o.length;a++){var s=o[a],u=e.base?s[0]+e.base:s[0],d=n[u]||0,p="".concat(u," ").concat(d);n[u]=d+1;var c=r(p),l={css:s[1],media:s[2],sourceMap:s[3],supports:s[4],layer:s[5]};if(-1!==c)t[c].references++,t[c].updater(l);else{var f=function(o,t){var r=t.domAPI(t);return r.update(o),function(t){t?(t.css!==o.css||t.media!==o.media||t.sourceMap!==o.sourceMap||t.supports!==o.supports||t.layer!==o.layer)&&r.update(o=t):r.remove()}}(l,e);e.byIndex=a,t.splice(a,0,{identifier:p,updater:f,references:1})}i.push(p)}return i}o.exports=function(o,n){var i=e(o=o||[],n=n||{});return function(o){o=o||[];for(var a=0;a<i.length;a++){var s=r(i[a]);t[s].references--}for(var u=e(o,n),d=0;d<i.length;d++){var p=r(i[d]);0===t[p].references&&(t[p].updater(),t.splice(p,1))}i=u}}},659(o){var t={};o.exports=function(o,r){var e=function(o){if(void 0===t[o]){var r=document.querySelector(o);if(window.HTMLIFrameElement&&r instanceof window.HTMLIFrameElement)try{r=r.contentDocument.head}catch(o){r=null}t[o]=r}return t[o]}(o);if(!e)throw Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");e.appendChild(r)}},540(o){o.exports=function(o){var t=document.createElement("style");return o.setAttributes(t,o.attributes),o.insert(t,o.options),t}},56(o,t,r){o.exports=function(o){var t=r.nc;t&&o.setAttribute("nonce",t)}},825(o){o.exports=function(o){if("u"<typeof document)return{update:function(){},remove:function(){}};var t=o.insertStyleElement(o);return{update:function(r){var e,n,i;e="",r.supports&&(e+="@supports (".concat(r.supports,") {")),r.media&&(e+="@media ".concat(r.media," {")),(n=void 0!==r.layer)&&(e+="@layer".concat(r.layer.length>0?" ".concat(r.layer):""," {")),e+=r.css,n&&(e+="}"),r.media&&(e+="}"),r.supports&&(e+="}"),(i=r.sourceMap)&&"u">typeof btoa&&(e+="\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(i))))," */")),o.styleTagTransform(e,t,o.options)},remove:function(){var o;null===(o=t).parentNode||o.parentNode.removeChild(o)}}}},113(o){o.exports=function(o,t){if(t.styleSheet)t.styleSheet.cssText=o;else{for(;t.firstChild;)t.removeChild(t.firstChild);t.appendChild(document.createTextNode(o))}}},959(o,t,r){var e=r(72),n=r.n(e),i=r(825),a=r.n(i),s=r(659),u=r.n(s),d=r(56),p=r.n(d),c=r(540),l=r.n(c),f=r(113),v=r.n(f),x=r(646),m={};m.styleTagTransform=v(),m.setAttributes=p(),m.insert=u().bind(null,"head"),m.domAPI=a(),m.insertStyleElement=l(),n()(x.A,m),x.A&&x.A.locals&&x.A.locals}}]);