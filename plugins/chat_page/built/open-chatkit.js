import{a as ss,b as as,c as Qt,d as Ve,e as cs,f as Ge,g as Zt,h as ls,i as ds,j as ps,k as us,l as hs,m as ms}from"./open-chatkit/chunk-VZJZRQUY.js";import{a as os}from"./open-chatkit/chunk-P4N4W7UP.js";import{a as K,b as H,c as Y,d as b,e as x,f as T}from"./open-chatkit/chunk-WLZDGSHZ.js";import{a as Li}from"./open-chatkit/chunk-XUYTPYRY.js";import{a as A,b as l,d as U,e as u,f as is,g as Ke,h as ns}from"./open-chatkit/chunk-SR2ZKMTE.js";var{I:mp}=is;var Qe=r=>r.strings===void 0,fs=()=>document.createComment(""),Yt=(r,t,e)=>{let i=r._$AA.parentNode,n=t===void 0?r._$AB:t._$AA;if(e===void 0){let o=i.insertBefore(fs(),n),s=i.insertBefore(fs(),n);e=new mp(o,s,r,r.options)}else{let o=e._$AB.nextSibling,s=e._$AM,a=s!==r;if(a){let c;e._$AQ?.(r),e._$AM=r,e._$AP!==void 0&&(c=r._$AU)!==s._$AU&&e._$AP(c)}if(o!==n||a){let c=e._$AA;for(;c!==o;){let d=c.nextSibling;i.insertBefore(c,n),c=d}}}return e},xt=(r,t,e=r)=>(r._$AI(t,e),r),fp={},Xt=(r,t=fp)=>r._$AH=t,gs=r=>r._$AH,Ze=r=>{r._$AP?.(!1,!0);let t=r._$AA,e=r._$AB.nextSibling;for(;t!==e;){let i=t.nextSibling;t.remove(),t=i}};var ye=(r,t)=>{let e=r._$AN;if(e===void 0)return!1;for(let i of e)i._$AO?.(t,!1),ye(i,t);return!0},Ye=r=>{let t,e;do{if((t=r._$AM)===void 0)break;e=t._$AN,e.delete(r),r=t}while(e?.size===0)},ks=r=>{for(let t;t=r._$AM;r=t){let e=t._$AN;if(e===void 0)t._$AN=e=new Set;else if(e.has(r))break;e.add(r),bp(t)}};function gp(r){this._$AN!==void 0?(Ye(this),this._$AM=r,ks(this)):this._$AM=r}function kp(r,t=!1,e=0){let i=this._$AH,n=this._$AN;if(n!==void 0&&n.size!==0)if(t)if(Array.isArray(i))for(let o=e;o<i.length;o++)ye(i[o],!1),Ye(i[o]);else i!=null&&(ye(i,!1),Ye(i));else ye(this,r)}var bp=r=>{r.type==K.CHILD&&(r._$AP??=kp,r._$AQ??=gp)},$t=class extends Y{constructor(){super(...arguments),this._$AN=void 0}_$AT(t,e,i){super._$AT(t,e,i),ks(this),this.isConnected=t._$AU}_$AO(t,e=!0){t!==this.isConnected&&(this.isConnected=t,t?this.reconnected?.():this.disconnected?.()),e&&(ye(this,t),Ye(this))}setValue(t){if(Qe(this._$Ct))this._$Ct._$AI(t,this);else{let e=[...this._$Ct._$AH];e[this._$Ci]=t,this._$Ct._$AI(e,this,0)}}disconnected(){}reconnected(){}};var Xe=()=>new Di,Di=class{},Ii=new WeakMap,Jt=H(class extends $t{render(r){return u}update(r,[t]){let e=t!==this.Y;return e&&this.Y!==void 0&&this.rt(void 0),(e||this.lt!==this.ct)&&(this.Y=t,this.ht=r.options?.host,this.rt(this.ct=r.element)),u}rt(r){if(this.isConnected||(r=void 0),typeof this.Y=="function"){let t=this.ht??globalThis,e=Ii.get(t);e===void 0&&(e=new WeakMap,Ii.set(t,e)),e.get(this.Y)!==void 0&&this.Y.call(this.ht,void 0),e.set(this.Y,r),r!==void 0&&this.Y.call(this.ht,r)}else this.Y.value=r}get lt(){return typeof this.Y=="function"?Ii.get(this.ht??globalThis)?.get(this.Y):this.Y?.value}disconnected(){this.lt===this.ct&&this.rt(void 0)}reconnected(){this.rt(this.ct)}});var te=H(class extends Y{constructor(r){if(super(r),r.type!==K.PROPERTY&&r.type!==K.ATTRIBUTE&&r.type!==K.BOOLEAN_ATTRIBUTE)throw Error("The `live` directive is not allowed on child or event bindings");if(!Qe(r))throw Error("`live` bindings can only contain a single expression")}render(r){return r}update(r,[t]){if(t===U||t===u)return t;let e=r.element,i=r.name;if(r.type===K.PROPERTY){if(t===e[i])return U}else if(r.type===K.BOOLEAN_ATTRIBUTE){if(!!t===e.hasAttribute(i))return U}else if(r.type===K.ATTRIBUTE&&e.getAttribute(i)===t+"")return U;return Xt(r),t}});var Tt={text:"",tags:[]};function _i(r){return`@${r.title.replace(/\s+/g," ").trim()||r.id}`}function Ni({text:r,tags:t}){let e=[],i=0;for(let n of t)n.start>i&&e.push({text:r.slice(i,n.start),tag:null}),e.push({text:r.slice(n.start,n.end),tag:n}),i=n.end;return i<r.length&&e.push({text:r.slice(i),tag:null}),e}function bs({text:r,tags:t},e,i){let n=xp(r,e,Math.max(e.length-i,0)),o=yp(r,e,Math.min(r.length,e.length)-n),[s,a]=[o,r.length-n],c=e.length-r.length;return t.filter(({start:p,end:h})=>h<=s||p>=a).map(p=>p.end<=s?p:xe(p,c))}function xe(r,t){return{...r,start:r.start+t,end:r.end+t}}function vs(r,t){return[...r,...t].sort((e,i)=>e.start-i.start)}function qi({text:r,tags:t},e,i){let n=t.filter(({start:o,end:s})=>o>=e&&s<=i);return{text:r.slice(e,i),tags:n.map(o=>xe(o,-e))}}function Je(r,t,e){let i=r.text.length+t.length;return{text:r.text+t+e.text,tags:[...r.tags,...e.tags.map(n=>xe(n,i))]}}function ws(r){let t=r.text.length-r.text.trimStart().length,e=qi(r,t,Math.max(t,r.text.trimEnd().length));return Ni(e).map(({text:i,tag:n})=>n?vp(n.entity):{type:"input_text",text:i})}function ys(r){return r.reduce((t,e)=>{if(e.type==="input_text")return Je(t,"",{text:e.text,tags:[]});let i=wp(e),n=_i(i);return Je(t,"",{text:n,tags:[{start:0,end:n.length,entity:i}]})},Tt)}function vp({id:r,title:t,group:e,data:i,interactive:n}){return{type:"input_tag",id:r,text:t,data:i??{},...e?{group:e}:{},interactive:n??!1}}function wp(r){return{id:r.id,title:r.text,interactive:r.interactive??!1,...r.group?{group:r.group}:{},...r.data?{data:r.data}:{}}}function yp(r,t,e){let i=0;for(;i<e&&r[i]===t[i];)i++;return i}function xp(r,t,e){let i=0,n=Math.min(e,r.length,t.length);for(;i<n&&r[r.length-1-i]===t[t.length-1-i];)i++;return i}var $p=/^history(Undo|Redo)$/,Tp=5e3,Ep=200,tr=Tt,Ui=class extends b{constructor(){super();this.events={edited:()=>{},clicked:()=>{},shown:()=>{}};this.earlier=new Map;this.coming=null;this.lastFocus=0;this.rich=Tt}static{this.properties={...b.properties,label:{attribute:!1},placeholder:{attribute:!1},disabled:{attribute:!1},describedBy:{attribute:!1},enterKey:{attribute:!1},list:{attribute:!1},activeOption:{attribute:!1},rich:{state:!0}}}get value(){return this.rich}set value(e){this.rich=e,this.remember()}get caret(){return this.area?.selectionEnd??this.rich.text.length}get hasSelection(){return this.area!==null&&this.area.selectionStart!==this.area.selectionEnd}focus(){let{area:e}=this;e?.focus(),(!e||e.disabled)&&this.updateComplete.then(()=>this.area?.focus())}toEnd(){let{area:e}=this;e?.setSelectionRange(e.value.length,e.value.length)}insert(e){let i=this.area,n=i.value.slice(0,i.selectionStart),o=i.value.slice(i.selectionEnd),s=/\S$/.test(n)?" ":"",a=/^\S/.test(o)&&/\S$/.test(e)?" ":"";this.replace(i.selectionStart,i.selectionEnd,{text:s+e+a,tags:[]})}insertTag(e,i,n){let o=_i(n),s=/^\s/.test(this.rich.text.slice(i))?"":" ";this.replace(e,i,{text:o+s,tags:[{start:0,end:o.length,entity:n}]})}replace(e,i,{text:n,tags:o}){let s=this.area;s.focus(),s.setSelectionRange(e,i),this.coming=o.map(a=>xe(a,e)),Sp(n,e===i)||(s.setRangeText(n,e,i,"end"),this.take()),this.coming=null}render(){let{rich:e,list:i}=this;return l`<div class="ock-field">
			<textarea part="composer-field" rows="1" dir="auto" aria-label=${this.label}
				placeholder=${this.placeholder} ?disabled=${this.disabled}
				enterkeyhint=${this.enterKey} autocomplete="off"
				aria-describedby=${this.describedBy||u}
				aria-autocomplete=${i?"list":u} aria-haspopup=${i?"listbox":u}
				aria-controls=${i??u} aria-activedescendant=${this.activeOption??u}
				.value=${te(e.text)}
				@input=${this.take} @keydown=${this.keydown} @keyup=${this.moved} @pointerup=${this.moved}
				@focus=${this.moved} @selectionchange=${this.moved}
				@copy=${this.copy} @cut=${this.copy} @paste=${this.paste}></textarea>
			<div class="ock-mirror" dir="auto">${Ni(e).map(n=>n.tag?this.tag(n.tag,n.text):l`<span aria-hidden="true">${n.text}</span>`)}<span aria-hidden="true">${e.text?"​":this.placeholder||"​"}</span></div>
		</div>`}tag({entity:e},i){if(!e.interactive)return l`<span class="ock-mention" part="tag" aria-hidden="true">${i}</span>`;let{events:n}=this,o=s=>{s.key!=="Enter"&&s.key!==" "||(s.preventDefault(),s.stopPropagation(),n.clicked(e))};return l`<span class="ock-mention" part="tag" role="button" tabindex="0" data-interactive
			aria-label=${e.title} @click=${()=>n.clicked(e)} @keydown=${o}
			@pointerenter=${()=>n.shown(e)} @pointerleave=${()=>n.shown(null)}
			@focus=${()=>n.shown(e)} @blur=${()=>n.shown(null)}>${i}</span>`}updated(e){e.has("disabled")&&this.disabled&&this.events.shown(null)}get area(){return this.querySelector("textarea")}take(e){let i=this.area,n=i.value,s=($p.test(e?.inputType??"")?this.earlier.get(n):void 0)??bs(this.rich,n,i.selectionEnd);this.rich={text:n,tags:this.coming?vs(s,this.coming):s},this.coming=null,this.remember(),this.lastFocus=i.selectionEnd,this.events.edited()}remember(){let{text:e,tags:i}=this.rich;i.length&&(this.earlier.delete(e),this.earlier.set(e,i),this.earlier.size>Ep&&this.earlier.delete(this.earlier.keys().next().value))}moved(){let e=this.area,{selectionStart:i,selectionEnd:n,selectionDirection:o}=e,s=h=>this.rich.tags.find(m=>m.start<h&&h<m.end),[a,c]=o==="backward"?[n,i]:[i,n],[d,p]=[s(a),s(c)];if(p&&(c=this.lastFocus<=p.start?p.end:p.start),i===n?a=c:d&&(a=a<c?d.start:d.end),d||p){let[h,m]=[Math.min(a,c),Math.max(a,c)];e.setSelectionRange(h,m,c<a?"backward":"forward")}this.lastFocus!==c&&(this.lastFocus=c,this.events.edited())}keydown({key:e,isComposing:i}){let n=this.area,{selectionStart:o,selectionEnd:s}=n;if(i||o!==s)return;let a=this.rich.tags.find(c=>e==="Backspace"?c.end===o:e==="Delete"&&c.start===o);a&&n.setSelectionRange(a.start,a.end)}copy(){let{selectionStart:e,selectionEnd:i}=this.area;tr=qi(this.rich,e,i)}paste(e){let i=e.clipboardData?.getData("text/plain")??"";if(!tr.tags.length||i!==tr.text)return;e.preventDefault();let{selectionStart:n,selectionEnd:o}=this.area;this.replace(n,o,tr)}};function Sp(r,t){return r.length>Tp?!1:r?document.execCommand("insertText",!1,r):t||document.execCommand("delete")}x("ock-field",Ui);var Cp={},xs=H(class extends Y{constructor(){super(...arguments),this.ot=Cp}render(r,t){return t()}update(r,[t,e]){if(Array.isArray(t)){if(Array.isArray(this.ot)&&this.ot.length===t.length&&t.every(((i,n)=>i===this.ot[n])))return U}else if(this.ot===t)return U;return this.ot=Array.isArray(t)?Array.from(t):t,this.render(t,e)}});var $s=(r,t,e)=>{let i=new Map;for(let n=t;n<=e;n++)i.set(r[n],n);return i},J=H(class extends Y{constructor(r){if(super(r),r.type!==K.CHILD)throw Error("repeat() can only be used in text expressions")}dt(r,t,e){let i;e===void 0?e=t:t!==void 0&&(i=t);let n=[],o=[],s=0;for(let a of r)n[s]=i?i(a,s):s,o[s]=e(a,s),s++;return{values:o,keys:n}}render(r,t,e){return this.dt(r,t,e).values}update(r,[t,e,i]){let n=gs(r),{values:o,keys:s}=this.dt(t,e,i);if(!Array.isArray(n))return this.ut=s,o;let a=this.ut??=[],c=[],d,p,h=0,m=n.length-1,g=0,y=o.length-1;for(;h<=m&&g<=y;)if(n[h]===null)h++;else if(n[m]===null)m--;else if(a[h]===s[g])c[g]=xt(n[h],o[g]),h++,g++;else if(a[m]===s[y])c[y]=xt(n[m],o[y]),m--,y--;else if(a[h]===s[y])c[y]=xt(n[h],o[y]),Yt(r,c[y+1],n[h]),h++,y--;else if(a[m]===s[g])c[g]=xt(n[m],o[g]),Yt(r,n[h],n[m]),m--,g++;else if(d===void 0&&(d=$s(s,g,y),p=$s(a,h,m)),d.has(a[h]))if(d.has(a[m])){let $=p.get(s[g]),E=$!==void 0?n[$]:null;if(E===null){let P=Yt(r,n[h]);xt(P,o[g]),c[g]=P}else c[g]=xt(E,o[g]),Yt(r,n[h],E),n[$]=null;g++}else Ze(n[m]),m--;else Ze(n[h]),h++;for(;g<=y;){let $=Yt(r,c[y+1]);xt($,o[g]),c[g++]=$}for(;h<=m;){let $=n[h++];$!==null&&Ze($)}return this.ut=s,Xt(r,c),U}});function Hi(r,t){return{type:r,start:t,text:"",children:[],places:[],rows:[],...{level:0,name:"",first:null,loose:!1,indent:0,task:null},...{version:0,closed:!1,blank:!1,fence:null,align:[],url:"",title:""}}}var Fi=/^ {0,3}> ?/,Ts=/^ {0,3}([-+*]|(\d{1,9})[.)])(?= |$)/,Es=/^\[([ xX])\] /,Bi=/^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/,Ss=/^ {0,3}(?:=+|-+)[ \t]*$/,Cs=/^ {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)$/,As=/^ {0,3}(`{3,}|~{3,})[ \t]*$/,Rs=/^ {0,3}(\$\$|\\\[)(.*)$/,Os=/^ {0,3}\[\^([^\]\s]{1,100})\]: ?/,Ps=/^ {0,3}<details( open)?>/i,zs=/^ {0,3}<\/details>[ \t]*$/i,Ap=/^ {0,3}\[((?:[^\]\\]|\\.){1,300})\]:[ \t]*(<[^>]*>|\S+)(?:[ \t]+("[^"]*"|'[^']*'|\([^)]*\)))?[ \t]*$/,Rp=/^:?-+:?$/,Op=/^(?:[ \t>*+-]|\d{1,9}[.)])*/,Pp=/^[\s>]*(?:[-+*_=#|:~`<$\\[]+|\d{1,9}[.)]?|[-+*] \[[ xX]?\]?)?$/,zp=/^[\s>]*<[/!a-z][^>]{0,200}$/i,Mp=/^\[(?:[^\]]{0,100}|[^\]^][^\]]{0,99}\](?::.*)?)$/;function Ms(r){if(r.length>1e3)return!1;let t=r.trim();return[Pp,zp,Mp].some(e=>e.test(t))}function Ls(r){let t=r.match(Op)[0];if(!t.includes("	"))return r;let e="";for(let i of t)e+=i==="	"?" ".repeat(4-e.length%4):i;return e+r.slice(t.length)}function Lt(r){return r.trim().replace(/\s+/g," ").toLowerCase()}function Is(r){let t=r.match(/^ {0,3}(#{1,6})(?=[ \t]|$)[ \t]*/);if(!t)return null;let e=r.trimEnd().length,i=e;for(;i>0&&r[i-1]==="#";)i--;(/[ \t]/.test(r[i-1]??" ")||i<=t[0].length)&&(e=i);let n=t[0].length;return{level:t[1].length,text:r.slice(n,Math.max(n,e)).trimEnd(),from:n}}function Ds(r){let t=r.match(/^ {0,3}<summary>/i)?.[0].length;if(!t)return null;let e=r.toLowerCase().indexOf("</summary>",t);return e<0?{text:r.slice(t),from:t}:r.slice(e+10).trim()?null:{text:r.slice(t,e),from:t}}function _s(r){let t=r.match(Ap);if(!t||t[1].trim()===""||t[1].startsWith("^"))return null;let e=t[2].startsWith("<")?t[2].slice(1,-1):t[2];return{name:Lt(t[1]),url:e,title:t[3]?.slice(1,-1)??""}}function Ns(r){if(!r.includes("-")||!(r.includes("|")||r.includes(":"))||!/^[\s|:-]*$/.test(r))return null;let t=ee(r).map(e=>e.trim());return t.every(e=>Rp.test(e))?t.map(e=>{let[i,n]=[e.startsWith(":"),e.endsWith(":")];return i&&n?"center":i?"left":n?"right":null}):null}function ee(r){let t=r.trim(),e=[],i="";for(let n=t.startsWith("|")?1:0;n<t.length;n++){let o=t[n];o==="\\"&&t[n+1]==="|"?i+=t[++n]:o==="\\"&&n+1<t.length?i+=o+t[++n]:o==="|"?(e.push(i.trim()),i=""):i+=o}return(i.trim()||!t.endsWith("|"))&&e.push(i.trim()),e}function er(r){return` ${r}`.slice(1)}var Ip=40,Dp=new Set(["document","quote","list","item","details","footnote"]),rr=class{constructor(){this.root=Hi("document",0);this.spine=[this.root];this.saved=null;this.rest="";this.clock=0;this.source=0;this.raw="";this.line="";this.at=0;this.partial=!1;this.matched=1}push(t){this.saved?.(),this.saved=null,this.rest+=t;let e=0;for(let i;(i=this.rest.indexOf(`
`,e))>=0;e=i+1)this.read(this.rest.slice(e,i)),this.source+=i+1-e;this.rest=this.rest.slice(e),!(!this.rest||Ms(this.rest))&&(this.saved=this.save(),this.partial=!0,this.read(this.rest),this.partial=!1)}end(){this.saved?.(),this.saved=this.save(),this.rest&&this.read(this.rest),this.close(1),this.root.version=++this.clock}get mayGoOn(){return!this.rest.includes("]:")}save(){let t=[...this.spine],e=t.map(i=>({...i,children:i.children.length,rows:i.rows.length,places:i.places.slice()}));return()=>{this.spine=t,t.forEach((i,n)=>{let{children:o,rows:s,...a}=e[n];Object.assign(i,a,{version:++this.clock}),i.children.length=o,i.rows.length=s})}}read(t){let e=this.spine;this.spine=[...e],this.raw=t.endsWith("\r")?t.slice(0,-1):t,this.line=Ls(this.raw),this.at=0,this.parse();for(let i of e)i.version=++this.clock;for(let i of this.spine)i.version=++this.clock}parse(){for(this.matched=1;this.matched<this.spine.length;this.matched++){let o=this.goesOn(this.spine[this.matched]);if(o==="consumed")return;if(o==="not here")break}let t=this.spine.at(-1),e=t.type==="paragraph"||t.type==="table"?t:null,i=this.matched<this.spine.length&&e?.type==="paragraph";if(this.isBlank())return this.close(this.matched),this.blankLine();e&&this.matched===this.spine.length&&this.matched--;let n=e;for(let o;(o=this.begin(n))!=="not here";n=null){if(o==="consumed")return this.unblank();if(this.isBlank())return this.unblank()}n&&(i||this.matched===this.spine.length-1)?(this.matched=this.spine.length,this.addLine(n)):this.addLine(this.add("paragraph",!0)),this.unblank()}goesOn(t){switch(t.type){case"quote":return this.take(Fi)?"here":"not here";case"item":return this.isBlank()?t.children.length?"here":"not here":this.dedent(t.indent);case"footnote":return this.isBlank()?"here":this.dedent(2);case"details":return this.take(zs)?(this.close(this.matched),"consumed"):"here";case"code":return t.fence?this.fenced(t,t.fence):this.indented(t);case"math":return this.formula(t);case"paragraph":case"table":return this.isBlank()?"not here":"here";default:return"here"}}dedent(t){return this.indent()<t?"not here":(this.at+=t,"here")}fenced(t,e){let i=this.peek(As);return i&&i[1][0]===e[0]&&i[1].length>=e.length?(this.close(this.matched),"consumed"):(this.at+=Math.min(t.indent,this.indent()),t.text+=this.exact()+(this.partial?"":`
`),"consumed")}indented(t){let e=this.isBlank();return!e&&this.indent()<4?"not here":(this.at=Math.min(this.at+4,this.line.length),t.text+=this.exact()+(this.partial?"":`
`),e&&this.blankLine(),"consumed")}formula(t){let e=this.line.slice(this.at).trimEnd(),i=e.endsWith(t.fence);return t.text+=i?e.slice(0,-2):`${e}
`,e===""&&(t.name="failed"),(i||e==="")&&this.close(this.matched),"consumed"}begin(t){if(this.indent()>=4)return t?"not here":this.indentedCode();if(this.spine.length<Ip){let e=this.beginContainer(t);if(e!=="not here")return e}return this.beginLeaf(t)}indentedCode(){return this.at+=4,this.add("code",!0).text=this.exact()+(this.partial?"":`
`),"consumed"}beginContainer(t){if(this.take(Fi))return this.opened(this.add("quote",!0));if(this.peek(Bi))return"not here";let e=this.peek(Ts);if(e&&this.mayBegin(e,t))return this.opened(this.item(e));let i=this.isParagraph(t)?null:this.take(Os);if(i)return this.opened(this.add("footnote",!0),{name:Lt(i[1])});let n=this.take(Ps);return n?this.opened(this.add("details",!0),{loose:!!n[1]}):"not here"}opened(t,e={}){return Object.assign(t,e),"here"}mayBegin(t,e){return this.isParagraph(e)?this.line.slice(this.at+t[0].length).trim()!==""&&(!t[2]||t[2]==="1"):!0}isParagraph(t){return t?.type==="paragraph"&&this.matched===this.spine.length-1}item(t){let e=t[1].at(-1),i=this.spine[this.matched-1];if(i.type==="list"&&i.name===e)i.children.at(-1)?.blank&&(i.loose=!0);else{let d=t[2]?Number(t[2]):null;Object.assign(this.add("list",!0),{name:e,first:d})}let n=this.add("item",!0),o=this.indent()+t[1].length;this.at+=o;let s=this.indent(),a=this.isBlank()||s>4?Math.min(1,s):s;this.at+=a,n.indent=o+Math.max(1,a);let c=this.take(Es);return c&&(n.task=c[1]!==" "),n}beginLeaf(t){let e=this.isParagraph(t)?t:null,i=Is(this.line.slice(this.at));if(i)return this.filled("heading",i.text,i.from,{level:i.level});if(e&&this.peek(Ss))return this.underline(e);let n=this.peek(Cs);if(n)return this.fence(n);if(this.peek(Bi))return this.filled("rule","",0);let o=this.peek(Rs);if(o)return this.math(o);let s=Ds(this.line.slice(this.at));if(s)return this.filled("summary",s.text,s.from);if(e&&this.table(e))return"consumed";let a=e?null:_s(this.line.slice(this.at));return a?this.filled("definition","",0,a):"not here"}filled(t,e,i,n={}){let o=this.add(t,!1);return Object.assign(o,{text:e,...n}),o.places.push({at:0,source:this.source+this.at+i}),"consumed"}underline(t){return t.type="heading",t.level=this.line[this.at+this.indent()]==="="?1:2,this.close(this.matched),"consumed"}fence(t){let e=this.partial?"":t[2].trim().split(/\s/,1)[0],i={fence:t[1],name:e,indent:this.indent()};return this.opened(this.add("code",!0),i)&&"consumed"}math(t){let e=t[1]==="$$"?"$$":"\\]",i=t[2].trimEnd(),n=i.indexOf(e);if(n>=0&&n<i.length-2)return"not here";let o=this.add("math",n<0),s=n<0?`${i}
`:i.slice(0,-2);return Object.assign(o,{fence:e,text:s}),"consumed"}table(t){let e=Ns(this.line.slice(this.at));if(!e)return!1;let{at:i,source:n}=t.places.at(-1),o=t.text.slice(i);if(ee(o).length!==e.length)return!1;i>0?(t.text=t.text.slice(0,i-1),t.places.pop(),this.add("table",!0)):(t.type="table",t.text="",this.matched=this.spine.length);let s=this.spine.at(-1);return s.align=e,s.rows.push({at:0,source:n,text:o}),!0}add(t,e){for(;this.spine[this.matched-1].type==="list"&&t!=="item";)this.matched--;this.close(this.matched);let i=this.spine.at(-1);i.type==="item"&&i.blank&&i.children.length&&(this.spine.at(-2).loose=!0);let n=Hi(t,this.source+this.at);return n.version=++this.clock,n.closed=!e,i.children.push(n),e&&(this.spine.push(n),Dp.has(t)&&(this.matched=this.spine.length)),n}addLine(t){let e=this.at+this.indent(),i=this.line.slice(e);if(t.type==="table"){t.rows.push({at:0,source:this.source+e,text:i});return}t.places.length&&(t.text+=`
`),t.places.push({at:t.text.length,source:this.source+e}),t.text+=i}close(t){for(let e of this.spine.slice(t))e.closed=!0;this.spine.length=Math.max(1,t)}blankLine(){for(let t of this.spine)t.blank=!0}unblank(){for(let t of this.spine)t.blank=!1}indent(){let t=this.at;for(;this.line[t]===" ";)t++;return t-this.at}isBlank(){return this.at+this.indent()>=this.line.length}peek(t){return this.line.slice(this.at).match(t)}take(t){let e=this.peek(t);return e&&(this.at+=e[0].length),e}exact(){return(this.raw.slice(0,this.at)===this.line.slice(0,this.at)?this.raw:this.line).slice(this.at)}};var ir=class{constructor(){this.domains=[];this.top=3;this.marks=new Map;this.marksBelow=new Map;this.again=new Set;this.links=Object.create(null);this.notes=new Map;this.readers=new Map}define(t,e){this.links[t]||(this.links[t]=e,this.tell(t))}note(t,e){let i=this.notes.get(t);if(i)return i.number;let n=this.notes.size+1;return this.notes.set(t,{number:n,element:e}),this.tell(`^${t}`),n}forgetNote(t){this.notes.delete(t),this.tell(`^${t}`)}noteOf(t){return this.notes.get(t)}listen(t,e){let i=this.readers.get(t);i?i.add(e):this.readers.set(t,new Set([e]))}forget(t,e){let i=this.readers.get(t);i?.delete(e),i?.size===0&&this.readers.delete(t)}tell(t){for(let e of this.readers.get(t)??[])e.meaning(t)}};var _p=new Set(["paragraph","heading","summary","code","math"]),Wi=new WeakMap,Np=0;function qs(r,t,e,i){if(i.marks=new Map,i.marksBelow=new Map,!r.length)return;let n=[...Us(t,[])],o=r.filter(({index:s})=>s<=e);for(let s of o.sort((a,c)=>a.index-c.index)){let a=n[Math.max(0,n.findLastIndex(({start:c})=>c<s.index))];if(a){i.marks.set(a.key,[...i.marks.get(a.key)??[],s]);for(let c of a.path)i.marksBelow.set(c,`${i.marksBelow.get(c)??""} ${qp(s)}`)}}}function*Us(r,t){let e=[...t,r];for(let i of r.rows)yield{key:i,start:i.source,path:e};_p.has(r.type)&&(yield{key:r,start:r.start,path:e});for(let i of r.children)yield*Us(i,e)}function qp(r){return Wi.has(r)||Wi.set(r,++Np),Wi.get(r)}async function Hs(r){try{return await navigator.clipboard.writeText(r),!0}catch{return Up(r)}}function Up(r){let t=i=>{i.clipboardData?.setData("text/plain",r),i.preventDefault(),i.stopImmediatePropagation()};addEventListener("copy",t,{capture:!0,once:!0});let e=document.execCommand("copy");return removeEventListener("copy",t,{capture:!0}),e}function Fs(){return new Promise(r=>{let t=new MessageChannel,e=setTimeout(i,250);function i(){clearTimeout(e),t.port1.close(),r()}t.port1.onmessage=i,requestAnimationFrame(()=>t.port2.postMessage(null))})}var ji=class{constructor(){this.slice=8;this.left=8;this.pause=null}get until(){return performance.now()+this.left}took(t){this.left=Math.max(0,this.left-t),this.rest()}rest(){return this.pause??=this.wait(),this.pause}async wait(){let t=performance.now();await Fs();let e=performance.now()-t;this.slice=Math.min(8,Math.max(.5,this.slice*24/e)),e>24&&await new Promise(i=>setTimeout(i,Math.min(200,e))),this.left=this.slice,this.pause=null}},or=new ji,nr=new Set,Ki=!1;function $e(r){nr.add(r),Ki||Hp()}async function Hp(){for(Ki=!0;nr.size;){let r=performance.now();await Fs(),Fp(Math.max(1,5-(performance.now()-r-16)/4))}Ki=!1}function Fp(r){let t=performance.now()+r;for(let e of nr){let i=!0;for(;i&&performance.now()<t;)i=e();i||nr.delete(e)}}async function Bs(r){try{let{newPainter:t}=await import("./open-chatkit/painter-I5CWOSQR.js");return await t(r)}catch{return null}}var Bp=50,Wp=2e3,Vi=2e3,sr=class{constructor(t){this.ink=t;this.node=document.createElement("div");this.label=document.createElement("span");this.button=document.createElement("button");this.after=document.createElement("span");this.pre=document.createElement("pre");this.code=this.pre.appendChild(document.createElement("code"));this.text="";this.language=null;this.done="";this.lines=0;this.group=null;this.last=null;this.from=0;this.plain=[];this.painter=null;this.paint=()=>{let t=this.plain.shift();return!t||!this.painter?!1:(t.replaceWith(...this.painter.paint(t.data)),this.plain.length>0)};this.node.className="ock-code",this.node.setAttribute("part","code");let e=this.node.appendChild(document.createElement("div"));e.className="ock-code-head",this.button.type="button",this.button.setAttribute("part","code-copy"),this.button.textContent=t.words.text("code.copy"),this.button.addEventListener("click",()=>{this.copy()}),e.append(this.label,this.button),this.pre.dir="ltr",this.pre.tabIndex=0,this.pre.className="ock-scroll",this.pre.setAttribute("role","region"),this.node.append(this.pre,this.after)}update(t){this.text=t.fence?t.text:`${t.text.trimEnd()}
`,(this.language!==t.name||!this.text.startsWith(this.done))&&this.reset(t.name),this.addLines(),this.after.replaceChildren(...(this.ink.marks.get(t)??[]).map(({node:e})=>e))}dispose(){this.plain=[]}reset(t){this.language=t,this.code.replaceChildren(),this.done="",this.lines=0,this.last=null,this.from=0,this.plain=[],this.painter=null;let{words:e}=this.ink;this.label.textContent=t;let i=t?e.text("code.regionOf",{language:t}):e.text("code.region");this.pre.setAttribute("aria-label",i),this.load(t)}async load(t){let e=t?await Bs(t):null;this.language!==t||!e||(this.painter=e,$e(this.paint))}addLines(){let t=this.text.slice(this.done.length).split(`
`),e=t.pop();for(let i of t)this.addLine(`${i}
`);this.done=this.text.slice(0,this.text.length-e.length),e&&this.showLast(e),!e&&this.last&&this.dropLast(),this.painter&&t.length&&$e(this.paint)}addLine(t){this.showLast(t),this.from===0&&this.plain.push(this.last),this.last=null,this.from=0,this.lines++}newLine(){return(!this.group||this.lines%Bp===0)&&(this.group=this.code.appendChild(document.createElement("span")),this.group.className="ock-lines"),this.addPiece()}addPiece(){return this.group.appendChild(document.createTextNode(""))}showLast(t){for(this.last??=this.newLine();t.length-this.from>Vi;this.from+=Vi)this.last.data=t.slice(this.from,this.from+Vi),this.last=this.addPiece();this.last.data=t.slice(this.from)}dropLast(){this.last.remove(),this.last=null,this.from=0,this.group?.childNodes.length===0&&(this.group.remove(),this.group=this.code.lastElementChild)}async copy(){let{words:t}=this.ink;await Hs(this.text.replace(/\n$/,""))&&(this.button.textContent=t.text("code.copied"),this.button.setAttribute("aria-live","polite"),setTimeout(()=>{this.button.removeAttribute("aria-live"),this.button.textContent=t.text("code.copy")},Wp))}};function Yi(){return{async:!1,breaks:!1,extensions:null,gfm:!0,hooks:null,pedantic:!1,renderer:null,silent:!1,tokenizer:null,walkTokens:null}}var qt=Yi();function ta(r){qt=r}var Dt={exec:()=>null};function It(r){let t=[];return e=>{let i=Math.max(0,Math.min(3,e-1)),n=t[i];return n||(n=r(i),t[i]=n),n}}function S(r,t=""){let e=typeof r=="string"?r:r.source,i={replace:(n,o)=>{let s=typeof o=="string"?o:o.source;return s=s.replace(N.caret,"$1"),e=e.replace(n,s),i},getRegex:()=>new RegExp(e,t)};return i}var ea=((r="")=>{try{return!!new RegExp("(?<=1)(?<!1)"+r)}catch{return!1}})(),N={codeRemoveIndent:/^(?: {0,3}\t| {1,4})/gm,listInterruptsParagraph:/^ {0,3}(?:[*+-]|1[.)])[ \t]+[^ \t\n]/,outputLinkReplace:/\\([\[\]])/g,indentCodeCompensation:/^(\s+)(?:```)/,beginningSpace:/^\s+/,endingHash:/#$/,startingSpaceChar:/^ /,endingSpaceChar:/ $/,endingSpaceTabChar:/[ \t]$/,nonSpaceChar:/[^ ]/,newLineCharGlobal:/\n/g,tabCharGlobal:/\t/g,leadingSpaceTab:/^[ \t]+/,multipleSpaceGlobal:/\s+/g,blankLine:/^[ \t]*$/,doubleBlankLine:/\n[ \t]*\n[ \t]*$/,blockquoteStart:/^ {0,3}>/,blockquoteSetextReplace:/\n {0,3}((?:=+|-+)[ \t]*)(?=\n|$)/g,blockquoteSetextReplace2:/^ {0,3}>[ \t]?/gm,blockquoteMarkerWhitespace:/^( {0,3}>)(\t[ \t]*)/gm,nestedBlockMarker:/^ {0,3}(?:(?:[*+-]|\d{1,9}[.)])(?: |$)|> ?)/,listReplaceNesting:/^ {1,4}(?=( {4})*[^ ])/g,listIsTask:/^\[[ xX]\][ \t]+\S/,listReplaceTask:/^\[[ xX]\][ \t]+/,listTaskCheckbox:/\[[ xX]\]/,anyLine:/\n.*\n/,hrefBrackets:/^<(.*)>$/,tableDelimiter:/[:|]/,tableAlignChars:/^\||\| *$/g,tableRowBlankLine:/\n[ \t]*$/,tableAlignRight:/^ *-+: *$/,tableAlignCenter:/^ *:-+: *$/,tableAlignLeft:/^ *:-+ *$/,startATag:/^<a /i,endATag:/^<\/a>/i,startPreScriptTag:/^<(pre|code|kbd|script)(\s|>)/i,endPreScriptTag:/^<\/(pre|code|kbd|script)(\s|>)/i,startAngleBracket:/^</,endAngleBracket:/>$/,pedanticHrefTitle:/^([^'"]*[^\s])\s+(['"])(.*)\2/,unicodeAlphaNumeric:/[\p{L}\p{N}]/u,numericCharacterReference:/&#(?:(\d{1,7})|[Xx]([A-Fa-f0-9]{1,6}));/,numericCharacterReferenceOrAmpersand:/&#(?:(\d{1,7})|[Xx]([A-Fa-f0-9]{1,6}));|&(?!(#\d{1,7}|#[Xx][a-fA-F0-9]{1,6}|\w+);)/g,escapeTest:/[&<>"']/,escapeReplace:/[&<>"']/g,escapeTestNoEncode:/[<>"']|&(?!(#\d{1,7}|#[Xx][a-fA-F0-9]{1,6}|\w+);)/,escapeReplaceNoEncode:/[<>"']|&(?!(#\d{1,7}|#[Xx][a-fA-F0-9]{1,6}|\w+);)/g,caret:/(^|[^\[])\^/g,percentDecode:/%25/g,findPipe:/\|/g,splitPipe:/ \|/,slashPipe:/\\\|/g,carriageReturn:/\r\n|\r/g,spaceLine:/^ +$/gm,notSpaceStart:/^\S*/,endingNewline:/\n$/,listItemRegex:r=>new RegExp(`^( {0,3}${r})((?:[	 ][^\\n]*)?(?:\\n|$))`),nextBulletRegex:It(r=>new RegExp(`^ {0,${r}}(?:[*+-]|\\d{1,9}[.)])((?:[ 	][^\\n]*)?(?:\\n|$))`)),hrRegex:It(r=>new RegExp(`^ {0,${r}}((?:-[ 	]*){3,}|(?:_[ 	]*){3,}|(?:\\*[ 	]*){3,})(?:\\n+|$)`)),fencesBeginRegex:It(r=>new RegExp(`^ {0,${r}}(?:\`\`\`|~~~)`)),headingBeginRegex:It(r=>new RegExp(`^ {0,${r}}#{1,6}(?:\\s|$)`)),pedanticHeadingBeginRegex:It(r=>new RegExp(`^ {0,${r}}#`)),htmlBeginRegex:It(r=>new RegExp(`^ {0,${r}}(?:</?(?:${Ji})(?:[ \\t]+|$|/?>)|<(?:(?:script|pre|style|textarea)(?:[\\s>]|$)|!--)|<\\?|<![A-Za-z]|<!\\[CDATA\\[)`,"i")),blockquoteBeginRegex:It(r=>new RegExp(`^ {0,${r}}>`)),nestedContainerMarkers:/^(?: {0,3}(?:(?:[*+-]|\d{1,9}[.)])[ \t]+|>[ \t]?))+/},jp=/^(?:[ \t]*(?:\n|$))+/,Kp=/^((?: {4}| {0,3}\t)[^\n]+(?:\n(?:[ \t]*(?:\n|$))*)?)+/,Vp=/^ {0,3}(`{3,}(?=[^`\n]*(?:\n|$))|~{3,})([^\n]*)(?:\n|$)(?:|([\s\S]*?)(?:\n|$))(?: {0,3}(?:(?=`)\1`*|(?=~)\1~*) *(?=\n|$)|$)/,Se=/^ {0,3}((?:-[\t ]*){3,}|(?:_[ \t]*){3,}|(?:\*[ \t]*){3,})(?:\n+|$)/,Gp=/^ {0,3}(#{1,6})(?=\s|$)(.*)(?:\n+|$)/,Xi=/ {0,3}(?:[*+-]|\d{1,9}[.)])/,Ji="address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|menuitem|meta|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul",Ce=S(" {0,3}(?:</?(?:tag)(?:[ \\t]+|\\n|/?>)|<(?:(?:script|pre|style|textarea)(?:[\\s>]|$)|!--)|<\\?|<![A-Za-z]|<!\\[CDATA\\[)").replace("tag",Ji).getRegex(),ra=/^(?!bull |blockCode|fences|blockquote|heading|html|table)((?:.|\n(?!\s*?\n|bull |fences|blockquote|heading|hr|html|table))+?)\n {0,3}(=+|-+)[ \t]*(?:\n+|$)/,ia=S(ra).replace(/bull/g,Xi).replace(/blockCode/g,/(?: {4}| {0,3}\t)/).replace(/fences/g,/ {0,3}(?:`{3,}|~{3,})/).replace(/blockquote/g,/ {0,3}>/).replace(/heading/g,/ {0,3}#{1,6}(?:\s|$)/).replace(/hr/g,/ {0,3}(?:(?:-[\t ]*){3,}|(?:_[ \t]*){3,}|(?:\*[ \t]*){3,})(?:\n+|$)/).replace(/\|table/g,"").replace(/html/g,Ce).getRegex(),Qp=S(ra).replace(/bull/g,Xi).replace(/blockCode/g,/(?: {4}| {0,3}\t)/).replace(/fences/g,/ {0,3}(?:`{3,}|~{3,})/).replace(/blockquote/g,/ {0,3}>/).replace(/heading/g,/ {0,3}#{1,6}(?:\s|$)/).replace(/hr/g,/ {0,3}(?:(?:-[\t ]*){3,}|(?:_[ \t]*){3,}|(?:\*[ \t]*){3,})(?:\n+|$)/).replace(/table/g,/ {0,3}\|?(?:[:\- ]*\|)+[\:\- ]*\n/).replace(/html/g,Ce).getRegex(),tn=/^([^\n]+(?:\n(?!hr|heading|lheading|blockquote|fences|list|html|table|[ \t]+\n)[^\n]+)*)/,Zp=/^[^\n]+/,en=/(?!\s*\])(?:\\[\s\S]|[^\[\]\\\n]|\n(?![ \t]*\n))+/,Yp=S(/^ {0,3}\[(label)\]: *(?:\n[ \t]*)?([^<\s][^\s]*|<(?:\\.|[^\n<>\\])*>)(?:(?: +(?:\n[ \t]*)?| *\n[ \t]*)(title))? *(?:\n+|$)/).replace("label",en).replace("title",/(?:"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\\n]|\n(?!\n))*'|\((?:\\[\s\S]|[^()\\])*\))/).getRegex(),Xp=S(/^(bull)([ \t][^\n]*?)?(?:\n|$)/).replace(/bull/g,Xi).getRegex(),rn=/<!--(?:-?>|[\s\S]*?(?:-->|$))/,Jp=S("^ {0,3}(?:<(script|pre|style|textarea)[\\s>][\\s\\S]*?(?:</\\1>[^\\n]*\\n*|$)|comment[^\\n]*(\\n+|$)|<\\?[\\s\\S]*?(?:\\?>[^\\n]*\\n*|$)|<![A-Z][\\s\\S]*?(?:>[^\\n]*\\n*|$)|<!\\[CDATA\\[[\\s\\S]*?(?:\\]\\]>[^\\n]*\\n*|$)|</?(tag)(?:[ \\t]+|\\n|/?>|$)[\\s\\S]*?(?:(?:\\n[ 	]*)+\\n|$)|<(?!(?:script|pre|style|textarea)(?![a-z0-9-]))([a-z][a-z0-9-]*)(?:attribute)*?[ \\t]*/?>(?=[ \\t]*(?:\\n|$))[\\s\\S]*?(?:(?:\\n[ 	]*)+\\n|$)|</[a-z][a-z0-9-]*\\s*>(?=[ \\t]*(?:\\n|$))[\\s\\S]*?(?:(?:\\n[ 	]*)+\\n|$))","i").replace("comment",rn).replace("tag",Ji).replace("attribute",/[ \t]+[a-zA-Z:_][\w.:-]*(?:[ \t]*=[ \t]*"[^"\n]*"|[ \t]*=[ \t]*'[^'\n]*'|[ \t]*=[ \t]*[^\s"'=<>`]+)?/).getRegex(),na=r=>S(tn).replace("hr",Se).replace("heading"," {0,3}#{1,6}(?:\\s|$)").replace("|lheading","").replace("|table","").replace("blockquote"," {0,3}>").replace("fences"," {0,3}(?:`{3,}(?=[^`\\n]*(?:\\n|$))|~~~)[^\\n]*(?:\\n|$)").replace("list",r).replace("html",Ce).getRegex(),tu=na(/ {0,3}(?:[*+-]|1[.)])[ \t]+[^ \t\n]/),eu=na(/ {0,3}(?:[*+-]|\d{1,9}[.)])(?:[ \t]|\n|$)/),ru=S(/^( {0,3}> ?(?:(?![ \t]*(?:\n|$))(paragraph)|[^\n]*)(?:\n|$))+/).replace("paragraph",eu).getRegex(),nn={blockquote:ru,code:Kp,def:Yp,fences:Vp,heading:Gp,hr:Se,html:Jp,lheading:ia,list:Xp,newline:jp,paragraph:tu,table:Dt,text:Zp},Ws=S("^ *([^\\n ].*)\\n {0,3}((?:\\| *)?:?-+:? *(?:\\| *:?-+:? *)*(?:\\| *)?)(?:\\n((?:(?! *\\n|hr|heading|blockquote|code|fences|list|html).*(?:\\n|$))*)\\n*|$)").replace("hr",Se).replace("heading"," {0,3}#{1,6}(?:\\s|$)").replace("blockquote"," {0,3}>").replace("code","(?: {4}| {0,3}	)[^\\n]").replace("fences"," {0,3}(?:`{3,}(?=[^`\\n]*(?:\\n|$))|~~~)[^\\n]*(?:\\n|$)").replace("list"," {0,3}(?:[*+-]|1[.)])[ \\t]").replace("html",Ce).getRegex(),iu={...nn,lheading:Qp,table:Ws,paragraph:S(tn).replace("hr",Se).replace("heading"," {0,3}#{1,6}(?:\\s|$)").replace("|lheading","").replace("table",Ws).replace("blockquote"," {0,3}>").replace("fences"," {0,3}(?:`{3,}(?=[^`\\n]*(?:\\n|$))|~~~)[^\\n]*(?:\\n|$)").replace("list"," {0,3}(?:[*+-]|1[.)])[ \\t]+[^ \\t\\n]").replace("html",Ce).getRegex()},nu={...nn,html:S(`^ *(?:comment(?: *\\n|\\s*$)|<(tag)[\\s\\S]+?</\\1>(?: *\\n{2,}|\\s*$)|<tag(?:"[^"]*"|'[^']*'|\\s[^'"/>\\s]*)*?/?>(?: *\\n{2,}|\\s*$))`).replace("comment",rn).replace(/tag/g,"(?!(?:a|em|strong|small|s|cite|q|dfn|abbr|data|time|code|var|samp|kbd|sub|sup|i|b|u|mark|ruby|rt|rp|bdi|bdo|span|br|wbr|ins|del|img)\\b)\\w+(?!:|[^\\w\\s@]*@)\\b").getRegex(),def:/^ *\[([^\]]+)\]: *<?([^\s>]+)>?(?: +(["(][^\n]+[")]))? *(?:\n+|$)/,heading:/^(#{1,6})(.*)(?:\n+|$)/,fences:Dt,lheading:/^(.+?)\n {0,3}(=+|-+) *(?:\n+|$)/,paragraph:S(tn).replace("hr",Se).replace("heading",` *#{1,6} *[^
]`).replace("|table","").replace("blockquote"," {0,3}>").replace("|fences","").replace("|list","").replace("|html","").replace("|tag","").replace("lheading",ia).getRegex()},ou=/^\\([!"#$%&'()*+,\-./:;<=>?@\[\]\\^_`{|}~])/,su=/^(`+)([^`]|[^`][\s\S]*?[^`])\1(?!`)/,oa=/^( {2,}|\\)\n(?!\s*$)[ \t]*/,au=/^(`+|[^`])(?:(?= {2,}\n)|[\s\S]*?(?:(?=[\\<!\[`*_]|\b_|$)|[^ ](?= {2,}\n)))/,nt=/[\p{P}\p{S}]/u,ie=/[\s\p{P}\p{S}]/u,Ae=/[^\s\p{P}\p{S}]/u,cu=S(/^((?![*_])punctSpace)/,"u").replace(/punctSpace/g,ie).getRegex(),lu=/[\p{Pi}\p{Ps}"']/u,sa=/(?!~)[\p{P}\p{S}]/u,du=/(?!~)[\s\p{P}\p{S}]/u,pu=/(?:[^\s\p{P}\p{S}]|~)/u,uu=S(/link|precode-code|html/,"g").replace("link",/\[(?:[^\[\]`]|(?<a>`+)[^`]+\k<a>(?!`))*?\]\((?:\\[\s\S]|[^\\\(\)]|\((?:\\[\s\S]|[^\\\(\)])*\))*\)/).replace("precode-",ea?"(?<!`)()":"(^^|[^`])").replace("code",/(?<b>`+)[^`]+\k<b>(?!`)/).replace("html",/<(?! )[^<>]*?>/).getRegex(),aa=/^(?:\*+(?:((?!\*)punct)|([^\s*]))?)|^_+(?:((?!_)punct)|([^\s_]))?/,hu=S(aa,"u").replace(/punct/g,nt).getRegex(),mu=S(aa,"u").replace(/punct/g,sa).getRegex(),fu=/^(?:\*+(?:((?!\*)(?!openQuote)punct)|([^\s*]))?)|^_+(?:((?!_)(?!openQuote)punct)|([^\s_]))?/,gu=S(fu,"u").replace(/openQuote/g,lu).replace(/punct/g,nt).getRegex(),ca="^[^_*]*?__[^_*]*?\\*[^_*]*?(?=__)|[^*]+(?=[^*])|(?!\\*)punct(\\*+)(?=[\\s]|$)|notPunctSpace(\\*+)(?!\\*)(?=punctSpace|$)|(?!\\*)punctSpace(\\*+)(?=notPunctSpace)|[\\s](\\*+)(?!\\*)(?=punct)|(?!\\*)punct(\\*+)(?!\\*)(?=punct)|notPunctSpace(\\*+)(?=notPunctSpace)",ku=S(ca,"gu").replace(/notPunctSpace/g,Ae).replace(/punctSpace/g,ie).replace(/punct/g,nt).getRegex(),bu=S(ca,"gu").replace(/notPunctSpace/g,pu).replace(/punctSpace/g,du).replace(/punct/g,sa).getRegex(),vu="^[^_*]*?__[^_*]*?\\*[^_*]*?(?=__)|[^*]+(?=[^*])|(?!\\*)punct(\\*+)(?=[\\s]|$)|notPunctSpace(\\*+)(?!\\*)(?=punctSpace|$)|(?!\\*)[\\s](\\*+)(?=notPunctSpace)|[\\s](\\*+)(?!\\*)(?=punct)|(?!\\*)punct(\\*+)(?!\\*)(?=punct)|(?:(?!\\*)punct|notPunctSpace)(\\*+)(?!\\*)(?=notPunctSpace)",wu=S(vu,"gu").replace(/notPunctSpace/g,Ae).replace(/punctSpace/g,ie).replace(/punct/g,nt).getRegex(),yu=S("^[^_*]*?\\*\\*[^_*]*?_[^_*]*?(?=\\*\\*)|[^_]+(?=[^_])|(?!_)punct(_+)(?=[\\s]|$)|notPunctSpace(_+)(?!_)(?=punctSpace|$)|(?!_)punctSpace(_+)(?=notPunctSpace)|[\\s](_+)(?!_)(?=punct)|(?!_)punct(_+)(?!_)(?=punct)","gu").replace(/notPunctSpace/g,Ae).replace(/punctSpace/g,ie).replace(/punct/g,nt).getRegex(),xu="^[^_*]*?\\*\\*[^_*]*?_[^_*]*?(?=\\*\\*)|[^_]+(?=[^_])|(?!_)punct(_+)(?=[\\s]|$)|notPunctSpace(_+)(?!_)(?=punctSpace|$)|(?!_)[\\s](_+)(?=notPunctSpace)|[\\s](_+)(?!_)(?=punct)|(?!_)punct(_+)(?!_)(?=punct)|(?:(?!_)punct|notPunctSpace)(_+)(?!_)(?=notPunctSpace)",$u=S(xu,"gu").replace(/notPunctSpace/g,Ae).replace(/punctSpace/g,ie).replace(/punct/g,nt).getRegex(),Tu=S(/^~~?(?:((?!~)punct)|[^\s~])/,"u").replace(/punct/g,nt).getRegex(),Eu="^[^~]+(?=[^~])|(?!~)punct(~~?)(?=[\\s]|$)|notPunctSpace(~~?)(?!~)(?=punctSpace|$)|(?!~)punctSpace(~~?)(?=notPunctSpace)|[\\s](~~?)(?!~)(?=punct)|(?!~)punct(~~?)(?!~)(?=punct)|notPunctSpace(~~?)(?=notPunctSpace)",Su=S(Eu,"gu").replace(/notPunctSpace/g,Ae).replace(/punctSpace/g,ie).replace(/punct/g,nt).getRegex(),Cu=S(/\\(punct)/,"gu").replace(/punct/g,nt).getRegex(),Au=S(/(`+)(?:[^`]|[^`][\s\S]*?[^`])\1(?!`)|`+|\\(punct)/,"gu").replace(/punct/g,nt).getRegex(),Ru=S(/^<(scheme:[^\s\x00-\x1f<>]*|email)>/).replace("scheme",/[a-zA-Z][a-zA-Z0-9+.-]{1,31}/).replace("email",/[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+(@)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+(?![-_])/).getRegex(),Ou=S(rn).replace("(?:-->|$)","-->").getRegex(),Pu=S("^comment|^</[a-zA-Z][a-zA-Z0-9-]*\\s*>|^<[a-zA-Z][a-zA-Z0-9-]*(?:attribute)*?\\s*/?>|^<\\?[\\s\\S]*?\\?>|^<![a-zA-Z]+\\s[\\s\\S]*?>|^<!\\[CDATA\\[[\\s\\S]*?\\]\\]>").replace("comment",Ou).replace("attribute",/\s+[a-zA-Z:_][\w.:-]*(?:\s*=\s*"[^"]*"|\s*=\s*'[^']*'|\s*=\s*[^\s"'=<>`]+)?/).getRegex(),la=/\[(?:\\[\s\S]|[^\[\]\\])*\]/,lr=S(/(?:\[(?:brackets|\\[\s\S]|[^\[\]\\])*\]|\\[\s\S]|`+(?!`)[^`]*?`+(?!`)|``+(?=\])|[^\[\]\\`])*?/).replace("brackets",la).getRegex(),zu=S(/^!?\[(label)\]\([ \t\n]*(href)(?:(?:[ \t]+(?:\n[ \t]*)?|\n[ \t]*)(title))?[ \t\n]*\)/).replace("label",lr).replace("href",/<(?:\\.|[^\n<>\\])*>|(?!<)[^ \t\n\x00-\x1f]+|(?=\))/).replace("title",/"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'|\((?:\\[\s\S]|[^)\\])*\)/).getRegex(),Mu=S(/^!?\[(label)\]\[(ref)\]/).replace("label",lr).replace("ref",en).getRegex(),Lu=S(/^!?\[(ref)\](?:\[\])?/).replace("ref",en).getRegex(),js=/(?!\s*\])(?:\\[\s\S]|[^\[\]\\]){1,999}/,Iu=S(/(?:[^\[\]\\`]*(?:\[(?:brackets|\\[\s\S]|[^\[\]\\])*\]|\\[\s\S]|`+(?!`)[^`]*?`+(?!`)|``+(?=\]))){0,999}?[^\[\]\\`]*?/).replace("brackets",la).getRegex(),Du=S("reflink|nolink(?!\\()","g").replace("reflink",S(/^!?\[(label)\]\[(ref)\]/).replace("label",Iu).replace("ref",js).getRegex()).replace("nolink",S(/^!?\[(ref)\](?:\[\])?/).replace("ref",js).getRegex()).getRegex(),Ks=/[hH][tT][tT][pP][sS]?|[fF][tT][pP]/,_u=/[A-Za-z0-9._+-]+@[a-zA-Z0-9-_]+(?:\.[a-zA-Z0-9-_]*[a-zA-Z0-9])+(?![\w-])/,Nu=S(/(?:mailto:email|xmpp:email(?:\/[A-Za-z0-9@.]+)?)/).replace(/email/g,_u).getRegex(),on={_backpedal:Dt,anyPunctuation:Cu,anyPunctuationOutsideCode:Au,autolink:Ru,blockSkip:uu,br:oa,code:su,del:Dt,delLDelim:Dt,delRDelim:Dt,emStrongLDelim:hu,emStrongRDelimAst:ku,emStrongRDelimUnd:yu,escape:ou,link:zu,nolink:Lu,punctuation:cu,reflink:Mu,reflinkSearch:Du,tag:Pu,text:au,url:Dt},qu={...on,emStrongLDelim:gu,emStrongRDelimAst:wu,emStrongRDelimUnd:$u,link:S(/^!?\[(label)\]\((.*?)\)/).replace("label",lr).getRegex(),reflink:S(/^!?\[(label)\]\s*\[([^\]]*)\]/).replace("label",lr).getRegex()},Gi={...on,emStrongRDelimAst:bu,emStrongLDelim:mu,delLDelim:Tu,delRDelim:Su,url:S(/^emailProtocol|^((?:protocol):\/\/|www\.)(?:[a-zA-Z0-9\-]+\.?)+[^\s<]*|^email/).replace("emailProtocol",Nu).replace("protocol",Ks).replace("email",/[A-Za-z0-9._+-]+(@)[a-zA-Z0-9-_]+(?:\.[a-zA-Z0-9-_]*[a-zA-Z0-9])+(?![\w-])/).getRegex(),_backpedal:/(?:[^?!.,:;*_'"~()&]+|\([^)]*\)|&(?![a-zA-Z0-9]+;$)|[?!.,:;*_'"~)]+(?!$))+/,del:/^(~~?)(?=[^\s~])((?:\\[\s\S]|[^\\])*?(?:\\[\s\S]|[^\s~\\]))\1(?=[^~]|$)/,text:S(/^(?:[^a-zA-Z0-9](?=emailProtocol)|(`+|~+|[^`~])(?:(?=[`~])|(?= {2,}\n)|(?=[a-zA-Z0-9.!#$%&'*+\/=?_`{\|}~-]+@)|[\s\S]*?(?:(?=[\\<!\[`*~_]|\b_|protocol:\/\/|wwwStart|$)|[^ ](?= {2,}\n)|[^a-zA-Z0-9](?=emailProtocol)|[^a-zA-Z0-9.!#$%&'*+\/=?_`{\|}~-](?=[a-zA-Z0-9.!#$%&'*+\/=?_`{\|}~-]+@))))/).replace("protocol",Ks).replace(/emailProtocol/g,/(?:mailto|xmpp):/).replace("wwwStart",ea?"(?<![^\\s*_~(])www\\.":"www\\.").getRegex()},Uu={...Gi,br:S(oa).replace("{2,}","*").getRegex(),text:S(Gi.text).replace("\\b_","\\b_| {2,}\\n").replace(/\{2,\}/g,"*").getRegex()},ar={normal:nn,gfm:iu,pedantic:nu},Te={normal:on,gfm:Gi,breaks:Uu,pedantic:qu},Hu={"&":"&amp;","<":"&lt;",">":"&gt;",'"':"&quot;","'":"&#39;"},Vs=r=>Hu[r];function V(r,t){if(t){if(N.escapeTest.test(r))return r.replace(N.escapeReplace,Vs)}else if(N.escapeTestNoEncode.test(r))return r.replace(N.escapeReplaceNoEncode,Vs);return r}function Fu(r){return N.numericCharacterReference.test(r)?r.replace(N.numericCharacterReferenceOrAmpersand,(t,e,i)=>{if(e===void 0&&i===void 0)return"&amp;";let n=e===void 0?Number.parseInt(i,16):Number.parseInt(e,10);return n===0||n>1114111||n>=55296&&n<=57343?"�":n===38?"&amp;":String.fromCodePoint(n)}):r}function Gs(r){try{r=encodeURI(r).replace(N.percentDecode,"%")}catch{return null}return r}function Qs(r,t){let e=r.replace(N.findPipe,(o,s,a)=>{let c=!1,d=s;for(;--d>=0&&a[d]==="\\";)c=!c;return c?"|":" |"}),i=e.split(N.splitPipe),n=0;if(i[0].trim()||i.shift(),i.length>0&&!i.at(-1)?.trim()&&i.pop(),t)if(i.length>t)i.splice(t);else for(;i.length<t;)i.push("");for(;n<i.length;n++)i[n]=i[n].trim().replace(N.slashPipe,"|");return i}function mt(r,t,e){let i=r.length;if(i===0)return"";let n=0;for(;n<i;){let o=r.charAt(i-n-1);if(o===t&&!e)n++;else if(o!==t&&e)n++;else break}return r.slice(0,i-n)}function Zs(r){let t=r.split(`
`),e=t.length-1;for(;e>=0&&N.blankLine.test(t[e]);)e--;return t.length-e<=2?r:t.slice(0,e+1).join(`
`)}function dr(r){return r.trim().replace(N.multipleSpaceGlobal," ").toLowerCase().toUpperCase().toLowerCase()}function Ys(r,t){if(r.indexOf(t[0])===-1&&r.indexOf(t[1])===-1)return-1;let e=0;for(let i=0;i<r.length;i++)if(r[i]==="\\")i++;else if(r[i]===t[0])e++;else if(r[i]===t[1]&&(e--,e<0))return i;return e>0?-2:-1}var re=new WeakMap;function sn(r){let t={"*":-1,_:-1},e=-1,i=r.length;for(let n=0;n<i;n++){let o=r[n];if(o!=="*"&&o!=="_"&&o!=="~")continue;let s=n===0?`
`:r[n-1],a=n+1;for(;a<i&&r[a]===o;)a++;s!==" "&&s!=="	"&&s!==`
`&&s!=="\r"&&s!=="\f"&&(o==="~"?e=n:t[o]=n),n=a-1}return{maskedSrc:r,lastPossibleEmStrongCloserIndex:t,lastPossibleDelCloserIndex:e}}function Bu(r,t){let e=sn(t),i=re.get(r);i?i.push(e):re.set(r,[e])}function Wu(r){let t=re.get(r);t&&(t.pop(),t.length===0&&re.delete(r))}function da(r,t,e){let i=re.get(r)?.at(-1);return i&&i.maskedSrc===t?i.lastPossibleEmStrongCloserIndex[e]:sn(t).lastPossibleEmStrongCloserIndex[e]}function pa(r,t){let e=re.get(r)?.at(-1);return e&&e.maskedSrc===t?e.lastPossibleDelCloserIndex:sn(t).lastPossibleDelCloserIndex}function cr(r,t=0){let e=t,i="";for(let n of r)if(n==="	"){let o=4-e%4;i+=" ".repeat(o),e+=o}else i+=n,e++;return i}function ju(r,t){let e="";for(let i=0;i<r.length;i++){if(r[i]==="`"){let n=t.inline.code.exec(r.slice(i));if(n){e+=n[0],i+=n[0].length-1;continue}}if(r[i]==="\\"&&(r[i+1]==="["||r[i+1]==="]")){e+=r[i+1],i++;continue}e+=r[i]}return e}function Xs(r,t,e,i,n){let o=t.href,s=t.title||null,a=ju(r[1],n),c=r[0].charAt(0)==="!",d=i.state.inLink,p=i.state.linkEmitted,h=i.state.inRawBlock;i.state.inLink=!0,i.state.linkEmitted=!1;let m=i.inlineTokens(a),g=i.state.linkEmitted;if(i.state.linkEmitted=p,i.state.inLink=d,!c){if(g){i.state.inRawBlock=h;return}i.state.linkEmitted=!0}return{type:c?"image":"link",raw:e,href:o,title:s,text:a,tokens:m}}function Ku(r,t,e){let i=r.match(e.other.indentCodeCompensation);if(i===null)return t;let n=i[1];return t.split(`
`).map(o=>{let s=o.match(e.other.beginningSpace);if(s===null)return o;let[a]=s;return o.slice(Math.min(a.length,n.length))}).join(`
`)}function Js(r,t,e,i){if(!t.includes("<"))return!1;for(let n=0;n<t.length;n++){if(t[n]==="\\"){n++;continue}if(t[n]==="`"){let a=i.inline.code.exec(t.slice(n));if(a){n+=a[0].length-1;continue}}if(t[n]!=="<")continue;let o=r.slice(e+n),s=i.inline.tag.exec(o)||i.inline.autolink.exec(o);if(s){if(s[0].length>t.length-n)return!0;n+=s[0].length-1}}return!1}var _t=class{options;rules;lexer;constructor(r){this.options=r||qt}space(r){let t=this.rules.block.newline.exec(r);if(t&&t[0].length>0)return{type:"space",raw:t[0]}}code(r){let t=this.rules.block.code.exec(r);if(t){let e=this.options.pedantic?t[0]:Zs(t[0]),i=e.replace(this.rules.other.codeRemoveIndent,"");return{type:"code",raw:e,codeBlockStyle:"indented",text:i}}}fences(r){let t=this.rules.block.fences.exec(r);if(t){let e=t[0],i=Ku(e,t[3]||"",this.rules);return t[3]!==void 0&&(i===""||i.endsWith(`
`))&&(i+=`
`),{type:"code",raw:e,lang:t[2]?t[2].trim().replace(this.rules.inline.anyPunctuation,"$1"):t[2],text:i}}}heading(r){let t=this.rules.block.heading.exec(r);if(t){let e=t[2].trim();if(this.rules.other.endingHash.test(e)){let i=mt(e,"#");(this.options.pedantic||!i||this.rules.other.endingSpaceTabChar.test(i))&&(e=i.trim())}return{type:"heading",raw:mt(t[0],`
`),depth:t[1].length,text:e,tokens:this.lexer.inline(e)}}}hr(r){let t=this.rules.block.hr.exec(r);if(t)return{type:"hr",raw:mt(t[0],`
`)}}blockquote(r){let t=this.rules.block.blockquote.exec(r);if(t){let e=mt(t[0],`
`).split(`
`),i="",n="",o=[];for(;e.length>0;){let s=!1,a=[],c;for(c=0;c<e.length;c++)if(this.rules.other.blockquoteStart.test(e[c]))a.push(e[c]),s=!0;else if(!s)a.push(e[c]);else break;e=e.slice(c);let d=a.join(`
`),p=d.replace(this.rules.other.blockquoteMarkerWhitespace,(g,y,$)=>$.startsWith(" ")?y+" "+$.slice(1):y+cr($,y.length)).replace(this.rules.other.blockquoteSetextReplace,`
    $1`).replace(this.rules.other.blockquoteSetextReplace2,"");i=i?`${i}
${d}`:d,n=n?`${n}
${p}`:p;let h=this.lexer.state.top;if(this.lexer.state.top=!0,this.lexer.blockTokens(p,o,!0),this.lexer.state.top=h,e.length===0)break;let m=o.at(-1);if(m?.type==="code"||m?.type==="heading"||m?.type==="hr"||m?.type==="html"||m?.type==="table")break;if(m?.type==="blockquote"){let g=m,y=e.join(`
`),$=g.raw+`
`+y.replace(this.rules.other.blockquoteSetextReplace2,""),E=this.blockquote($);o[o.length-1]=E;let P=$.substring(E.raw.length).replace(/^\n/,""),X=P?P.split(`
`).length:0,I=X?e.slice(0,-X):e;if(I.length>0&&(i=`${i}
${I.join(`
`)}`),n=n.substring(0,n.length-g.text.length)+E.text,e=e.slice(I.length),e.length>0&&this.rules.other.blockquoteStart.test(e[0]))continue;break}else if(m?.type==="list"){let g=m,y=g.raw+`
`+e.join(`
`),$=this.list(y);o[o.length-1]=$;let E=$.raw.length>g.raw.length?y.slice(g.raw.length+1,$.raw.length).split(`
`).length:0;if(E>0){let P=e.slice(0,E).join(`
`);i=`${i}
${P}`,n=`${n}
${P}`}if(e=e.slice(E),e.length>0&&!this.rules.other.blockquoteStart.test(e[0]))break;continue}}return{type:"blockquote",raw:i,tokens:o,text:n}}}list(r){let t=this.rules.block.list.exec(r);if(t){if(!this.options.pedantic&&this.lexer.state.lastToken?.type==="text"&&!this.rules.other.listInterruptsParagraph.test(r))return;let e=r,i=()=>e.length-r.length,n=t[1].trim(),o=n.length>1,s={type:"list",raw:"",ordered:o,start:o?+n.slice(0,-1):"",loose:!1,items:[]};n=o?`\\d{1,9}\\${n.slice(-1)}`:`\\${n}`,this.options.pedantic&&(n=o?n:"[*+-]");let a=this.rules.other.listItemRegex(n),c=!1;for(;r;){let h=!1,m="";if(!(t=a.exec(r))||this.rules.block.hr.test(r))break;let g=i();r=r.substring(t[0].length);let y=t[2].split(`
`,1)[0],$=t[1].length,E=this.options.pedantic?cr(y,$):y.replace(this.rules.other.leadingSpaceTab,j=>cr(j,$)),P=r.split(`
`,1)[0],X=!E.trim(),I=0;if(this.options.pedantic?(I=2,m=E.trimStart()):X?I=$+1:(I=E.search(this.rules.other.nonSpaceChar),I=I>4?1:I,m=E.slice(I),I+=$),X&&this.rules.other.blankLine.test(P)&&(r=r.substring(P.length+1),h=!0),!h){let j=this.rules.other.nextBulletRegex(I),yt=this.rules.other.hrRegex(I),ht=this.rules.other.fencesBeginRegex(I),it=this.options.pedantic?this.rules.other.pedanticHeadingBeginRegex(I):this.rules.other.headingBeginRegex(I),Mt=this.rules.other.htmlBeginRegex(I),Vt=this.rules.other.blockquoteBeginRegex(I),f=!1;for(;r;){let k=r.split(`
`,1)[0],R;if(P=k,this.options.pedantic?(P=P.replace(this.rules.other.listReplaceNesting,"  "),R=P):R=P.replace(this.rules.other.leadingSpaceTab,O=>cr(O)),ht.test(P)||it.test(P)||Mt.test(P)||Vt.test(P)||j.test(P)||yt.test(P))break;if(R.search(this.rules.other.nonSpaceChar)>=I||!P.trim())m+=`
`+R.slice(I),f=!1;else{if(X)break;let O=E;if(!this.options.pedantic&&!m.includes(`
`)&&!E.includes("	")){let F;for(;!yt.test(O)&&(F=this.rules.other.nestedBlockMarker.exec(O));)O=O.slice(F[0].length);if(!O.trim())break}if(O.replace(this.rules.other.tabCharGlobal,"    ").search(this.rules.other.nonSpaceChar)>=4||ht.test(O)||it.test(O)||Mt.test(O)||yt.test(O))break;if(!this.options.pedantic&&!f){let F=E.replace(this.rules.other.nestedContainerMarkers,"");if(this.rules.block.fences.test(F)||this.rules.block.heading.test(F)||this.rules.block.hr.test(F))break}let M=!this.options.pedantic&&/^ {0,3}(?:=+|-+) *$/.test(P)&&this.rules.block.lheading.test(`${E}
${P}`)?`    ${R.replace(/^ {0,3}/,"")}`:P;m+=`
`+M,f=!0}X=!P.trim(),r=r.substring(k.length+1),E=R.slice(I)}}let wt=e.slice(g,i());s.loose||(c?s.loose=!0:this.rules.other.doubleBlankLine.test(wt)&&(c=!0)),s.items.push({type:"list_item",raw:wt,task:!!this.options.gfm&&this.rules.other.listIsTask.test(m),loose:!1,text:m,tokens:[]})}let d=s.items.at(-1);if(d)d.raw=d.raw.trimEnd(),d.text=d.text.trimEnd();else return;s.raw=e.slice(0,i()).trimEnd();let p=[];for(let h of s.items)if(this.lexer.state.top=!1,p.push(this.lexer.inlineQueue.length),h.tokens=this.lexer.blockTokens(h.text,[]),!s.loose){let m=h.tokens.filter(y=>y.type==="space"),g=m.length>0&&m.some(y=>this.rules.other.anyLine.test(y.raw));s.loose=g}for(let h=0;h<s.items.length;h++){let m=s.items[h],g=m.tokens[0];if(m.task&&(g?.type==="text"||g?.type==="paragraph")){m.text=m.text.replace(this.rules.other.listReplaceTask,""),g.raw=g.raw.replace(this.rules.other.listReplaceTask,""),g.text=g.text.replace(this.rules.other.listReplaceTask,"");let y=this.lexer.inlineQueue;for(let E=p[h];E<y.length;E++)if(y[E].tokens===g.tokens){y[E].src=y[E].src.replace(this.rules.other.listReplaceTask,"");break}let $=this.rules.other.listTaskCheckbox.exec(m.raw);if($){let E={type:"checkbox",raw:$[0]+" ",checked:$[0]!=="[ ]"};m.checked=E.checked,s.loose?m.tokens[0]&&["paragraph","text"].includes(m.tokens[0].type)&&"tokens"in m.tokens[0]&&m.tokens[0].tokens?(m.tokens[0].raw=E.raw+m.tokens[0].raw,m.tokens[0].text=E.raw+m.tokens[0].text,m.tokens[0].tokens.unshift(E)):m.tokens.unshift({type:"paragraph",raw:E.raw,text:E.raw,tokens:[E]}):m.tokens.unshift(E)}}else m.task&&(m.task=!1)}if(s.loose)for(let h of s.items){h.loose=!0;for(let m of h.tokens)m.type==="text"&&(m.type="paragraph")}return s}}html(r){let t=this.rules.block.html.exec(r);if(t){if(this.lexer.state.lastToken?.type==="paragraph"&&!this.rules.other.htmlBeginRegex(4).test(r))return;let e=Zs(t[0]);return{type:"html",block:!0,raw:e,pre:t[1]==="pre"||t[1]==="script"||t[1]==="style",text:e}}}def(r){let t=this.rules.block.def.exec(r);if(t){if(!this.rules.other.startAngleBracket.test(t[2])&&Ys(t[2],"()")!==-1)return;let e=dr(t[1]),i=t[2]?t[2].replace(this.rules.other.hrefBrackets,"$1").replace(this.rules.inline.anyPunctuation,"$1"):"",n=t[3]?t[3].substring(1,t[3].length-1).replace(this.rules.inline.anyPunctuation,"$1"):t[3];return{type:"def",tag:e,raw:mt(t[0],`
`),href:i,title:n}}}table(r){let t=this.rules.block.table.exec(r);if(!t||!this.rules.other.tableDelimiter.test(t[2]))return;let e=Qs(t[1]),i=t[2].replace(this.rules.other.tableAlignChars,"").split("|"),n=t[3]?.trim()?t[3].replace(this.rules.other.tableRowBlankLine,"").split(`
`):[],o={type:"table",raw:mt(t[0],`
`),header:[],align:[],rows:[]};if(e.length===i.length){for(let s of i)this.rules.other.tableAlignRight.test(s)?o.align.push("right"):this.rules.other.tableAlignCenter.test(s)?o.align.push("center"):this.rules.other.tableAlignLeft.test(s)?o.align.push("left"):o.align.push(null);for(let s=0;s<e.length;s++)o.header.push({text:e[s],tokens:this.lexer.inline(e[s]),header:!0,align:o.align[s]});for(let s of n)o.rows.push(Qs(s,o.header.length).map((a,c)=>({text:a,tokens:this.lexer.inline(a),header:!1,align:o.align[c]})));return o}}lheading(r){let t=this.rules.block.lheading.exec(r);if(t){let e=t[1].trim();return{type:"heading",raw:mt(t[0],`
`),depth:t[2].charAt(0)==="="?1:2,text:e,tokens:this.lexer.inline(e)}}}paragraph(r){let t=this.rules.block.paragraph.exec(r);if(t){let e=t[1].charAt(t[1].length-1)===`
`?t[1].slice(0,-1):t[1];return{type:"paragraph",raw:t[0],text:e,tokens:this.lexer.inline(e)}}}text(r){let t=this.rules.block.text.exec(r);if(t)return{type:"text",raw:t[0],text:t[0],tokens:this.lexer.inline(t[0])}}escape(r){if(r.charCodeAt(0)!==92)return;let t=this.rules.inline.escape.exec(r);if(t)return{type:"escape",raw:t[0],text:t[1]}}tag(r){if(r.charCodeAt(0)!==60)return;let t=this.rules.inline.tag.exec(r);if(t)return!this.lexer.state.inLink&&this.rules.other.startATag.test(t[0])?this.lexer.state.inLink=!0:this.lexer.state.inLink&&this.rules.other.endATag.test(t[0])&&(this.lexer.state.inLink=!1),!this.lexer.state.inRawBlock&&this.rules.other.startPreScriptTag.test(t[0])?this.lexer.state.inRawBlock=!0:this.lexer.state.inRawBlock&&this.rules.other.endPreScriptTag.test(t[0])&&(this.lexer.state.inRawBlock=!1),{type:"html",raw:t[0],inLink:this.lexer.state.inLink,inRawBlock:this.lexer.state.inRawBlock,block:!1,text:t[0]}}link(r){if(this.lexer.state.linkParenPossible===!1)return;let t=r.charCodeAt(0);if(t!==91&&t!==33)return;let e=this.rules.inline.link.exec(r);if(e){let i=e[0].charAt(0)==="!"?2:1;if(!this.options.pedantic&&Js(r,e[1],i,this.rules))return;let n=e[2].trim();if(!this.options.pedantic&&this.rules.other.startAngleBracket.test(n)){if(!this.rules.other.endAngleBracket.test(n))return;let c=mt(n.slice(0,-1),"\\");if((n.length-c.length)%2===0)return}else{let c=Ys(e[2],"()");if(c===-2)return;if(c>-1){let d=(e[0].indexOf("!")===0?5:4)+e[1].length+c;e[2]=e[2].substring(0,c),e[0]=e[0].substring(0,d).trim(),e[3]=""}}let o=mt(e[0].slice(0,-1),"\\");if((e[0].length-o.length)%2===0)return;let s=e[2],a="";if(this.options.pedantic){let c=this.rules.other.pedanticHrefTitle.exec(s);c&&(s=c[1],a=c[3])}else a=e[3]?e[3].slice(1,-1):"";return s=s.trim(),this.rules.other.startAngleBracket.test(s)&&(this.options.pedantic&&!this.rules.other.endAngleBracket.test(n)?s=s.slice(1):s=s.slice(1,-1)),Xs(e,{href:s&&s.replace(this.rules.inline.anyPunctuation,"$1"),title:a&&a.replace(this.rules.inline.anyPunctuation,"$1")},e[0],this.lexer,this.rules)}}reflink(r,t){let e=r.charCodeAt(0);if(e!==91&&e!==33)return;let i;if((i=this.rules.inline.reflink.exec(r))||(i=this.rules.inline.nolink.exec(r))){let n=i[0].charAt(0)==="!"?2:1;if(!this.options.pedantic&&Js(r,i[1],n,this.rules))return;let o=t[dr(i[2]||i[1])];if(!o){let s=i[0].charAt(0);return{type:"text",raw:s,text:s}}return Xs(i,o,i[0],this.lexer,this.rules)}}emStrong(r,t,e=""){let i=this.rules.inline.emStrongLDelim.exec(r);if(!i||!i[1]&&!i[2]&&!i[3]&&!i[4])return;let n=i[0][0],o=e===n,s=t.length-r.length,a=s;for(;!this.options.pedantic&&a>0&&t[a-1]===n;)a--;let c=[...t.slice(Math.max(0,a-2),a)].at(-1)??"",d=c==="*"||c==="_"||!!this.rules.inline.punctuation.exec(c);a<s&&(e=c);let p=a<s?d:e==="*"||e==="_"||!!this.rules.inline.punctuation.exec(e);if(i[4]&&e.match(this.rules.other.unicodeAlphaNumeric))return;let h=i[1]||i[3]||"";if(!h||!e||p){let m=[...i[0]].length-1,g,y,$=m,E=0,P=s-a+m,X=!this.options.pedantic&&!!c.trim()&&(!!h||n==="*"&&!d);if(n!=="*"&&n!=="_")return;let I=n==="*"?this.rules.inline.emStrongRDelimAst:this.rules.inline.emStrongRDelimUnd,wt=da(this,t,n),j=t.length-r.length+m;if(wt<j)return;t=t.slice(-1*r.length+m);let yt=wt-j;for(I.lastIndex=0;(i=I.exec(t))!==null&&!(i.index>yt);){if(g=i[1]||i[2]||i[3]||i[4]||i[5]||i[6],!g)continue;if(y=[...g].length,i[3]||i[4]){$+=y;continue}else if((i[5]||i[6]||X)&&P%3&&!((P+y)%3)){if(o&&(i[5]||i[6]))break;E+=y;continue}if($-=y,$>0)continue;y=Math.min(y,y+$+E);let ht=[...i[0]][0].length,it=r.slice(0,m+i.index+ht+y);if(Math.min(m,y)%2){let Vt=it.slice(1,-1);return{type:"em",raw:it,text:Vt,tokens:this.lexer.inlineTokens(Vt)}}let Mt=it.slice(2,-2);return{type:"strong",raw:it,text:Mt,tokens:this.lexer.inlineTokens(Mt)}}}}codespan(r){if(r.charCodeAt(0)!==96)return;let t=this.rules.inline.code.exec(r);if(t){let e=t[2].replace(this.rules.other.newLineCharGlobal," "),i=this.rules.other.nonSpaceChar.test(e),n=this.rules.other.startingSpaceChar.test(e)&&this.rules.other.endingSpaceChar.test(e);return i&&n&&(e=e.substring(1,e.length-1)),{type:"codespan",raw:t[0],text:e}}}br(r){let t=r.charCodeAt(0);if(t!==32&&t!==92&&t!==10)return;let e=this.rules.inline.br.exec(r);if(e)return{type:"br",raw:e[0]}}del(r,t,e=""){if(r.charCodeAt(0)!==126)return;let i=this.rules.inline.delLDelim.exec(r);if(i&&(!i[1]||!e||this.rules.inline.punctuation.exec(e))){let n=[...i[0]].length-1,o,s,a=n,c=this.rules.inline.delRDelim,d=pa(this,t),p=t.length-r.length+n;if(d<p)return;t=t.slice(-1*r.length+n);let h=d-p;for(c.lastIndex=0;(i=c.exec(t))!==null&&!(i.index>h);){if(o=i[1]||i[2]||i[3]||i[4]||i[5]||i[6],!o||(s=[...o].length,s!==n))continue;if(i[3]||i[4]){a+=s;continue}if(a-=s,a>0)continue;s=Math.min(s,s+a);let m=[...i[0]][0].length,g=r.slice(0,n+i.index+m+s),y=g.slice(n,-n);return{type:"del",raw:g,text:y,tokens:this.lexer.inlineTokens(y)}}}}autolink(r){if(r.charCodeAt(0)!==60)return;let t=this.rules.inline.autolink.exec(r);if(t){let e,i;return t[2]==="@"?(e=t[1],i="mailto:"+e):(e=t[1],i=e),{type:"link",raw:t[0],text:e,href:i,autolink:!0,tokens:[{type:"text",raw:e,text:e}]}}}url(r){let t;if(t=this.rules.inline.url.exec(r)){let e,i;if(t[2]==="@")e=t[0],i="mailto:"+e;else{let n;do n=t[0],t[0]=this.rules.inline._backpedal.exec(t[0])?.[0]??"";while(n!==t[0]);e=t[0],t[1]==="www."?i="http://"+t[0]:i=t[0]}return{type:"link",raw:t[0],text:e,href:i,autolink:!0,tokens:[{type:"text",raw:e,text:e}]}}}inlineText(r){let t=this.rules.inline.text.exec(r);if(t){let e=this.lexer.state.inRawBlock;return{type:"text",raw:t[0],text:e?t[0]:Fu(t[0]),escaped:e}}}},G=class Qi{tokens;options;state;inlineQueue;tokenizer;constructor(t){this.tokens=[],this.tokens.links=Object.create(null),this.options=t||qt,this.options.tokenizer=this.options.tokenizer||new _t,this.tokenizer=this.options.tokenizer,this.tokenizer.options=this.options,this.tokenizer.lexer=this,this.inlineQueue=[],this.state={inLink:!1,inRawBlock:!1,linkEmitted:!1,linkParenPossible:!0,top:!0};let e={other:N,block:ar.normal,inline:Te.normal};this.options.pedantic?(e.block=ar.pedantic,e.inline=Te.pedantic):this.options.gfm&&(e.block=ar.gfm,this.options.breaks?e.inline=Te.breaks:e.inline=Te.gfm),this.tokenizer.rules=e}static get rules(){return{block:ar,inline:Te}}static lex(t,e){return new Qi(e).lex(t)}static lexInline(t,e){return new Qi(e).inlineTokens(t)}lex(t){t=t.replace(N.carriageReturn,`
`),this.blockTokens(t,this.tokens);for(let e=0;e<this.inlineQueue.length;e++){let i=this.inlineQueue[e];this.state.inRawBlock=!1,this.inlineTokens(i.src,i.tokens)}return this.inlineQueue=[],this.tokens}blockTokens(t,e=[],i=!1){this.tokenizer.lexer=this;let n=this.state.lastToken;this.options.pedantic&&(t=t.replace(N.tabCharGlobal,"    ").replace(N.spaceLine,""));let o=1/0,s,a=this.options.gfm&&!this.options.pedantic&&this.tokenizer.paragraph===_t.prototype.paragraph;for(;t;){if(t.length<o)o=t.length;else{this.infiniteLoopError(t.charCodeAt(0));break}this.state.lastToken=e.at(-1);let c;if(this.options.extensions?.block?.some(p=>(c=p.call({lexer:this},t,e))?(t=t.substring(c.raw.length),e.push(c),!0):!1))continue;if(c=this.tokenizer.space(t)){t=t.substring(c.raw.length);let p=e.at(-1);c.raw.length===1&&p!==void 0?p.raw+=`
`:e.push(c);continue}if(c=this.tokenizer.code(t)){t=t.substring(c.raw.length);let p=e.at(-1);p?.type==="paragraph"||p?.type==="text"?(p.raw+=(p.raw.endsWith(`
`)?"":`
`)+c.raw,p.text+=`
`+c.text,this.inlineQueue.at(-1).src=p.text):e.push(c);continue}if(c=this.tokenizer.fences(t)){t=t.substring(c.raw.length),e.push(c);continue}if(c=this.tokenizer.heading(t)){t=t.substring(c.raw.length),e.push(c);continue}if(c=this.tokenizer.hr(t)){t=t.substring(c.raw.length),e.push(c);continue}if(c=this.tokenizer.blockquote(t)){t=t.substring(c.raw.length),e.push(c);continue}if(c=this.tokenizer.list(t)){t=t.substring(c.raw.length),e.push(c);continue}if(c=this.tokenizer.html(t)){t=t.substring(c.raw.length),e.push(c);continue}if(c=this.tokenizer.def(t)){t=t.substring(c.raw.length);let p=e.at(-1);p?.type==="paragraph"||p?.type==="text"?(p.raw+=(p.raw.endsWith(`
`)?"":`
`)+c.raw,p.text+=`
`+c.raw,this.inlineQueue.at(-1).src=p.text):(this.tokens.links[c.tag]||(this.tokens.links[c.tag]={href:c.href,title:c.title}),e.push(c));continue}if(c=this.tokenizer.table(t)){t=t.substring(c.raw.length),e.push(c);continue}if(c=this.tokenizer.lheading(t)){t=t.substring(c.raw.length),e.push(c);continue}let d=t;if(this.options.extensions?.startBlock){let p=1/0,h=t.slice(1),m;this.options.extensions.startBlock.forEach(g=>{m=g.call({lexer:this},h),typeof m=="number"&&m>=0&&(p=Math.min(p,m))}),p<1/0&&p>=0&&(d=t.substring(0,p+1))}if(this.state.top&&(c=this.tokenizer.paragraph(d))){let p=e.at(-1);(i||p===s&&a)&&p?.type==="paragraph"?(p.raw+=(p.raw.endsWith(`
`)?"":`
`)+c.raw,p.text+=`
`+c.text,this.inlineQueue.pop(),this.inlineQueue.at(-1).src=p.text,s=p):(e.push(c),s=c),i=d.length!==t.length,t=t.substring(c.raw.length);continue}if(c=this.tokenizer.text(t)){t=t.substring(c.raw.length);let p=e.at(-1);p?.type==="text"?(p.raw+=(p.raw.endsWith(`
`)?"":`
`)+c.raw,p.text+=`
`+c.text,this.inlineQueue.pop(),this.inlineQueue.at(-1).src=p.text):e.push(c);continue}if(t){this.infiniteLoopError(t.charCodeAt(0));break}}return this.state.top=!0,this.state.lastToken=n,e}inline(t,e=[]){return this.inlineQueue.push({src:t,tokens:e}),e}linkInText(t){if(!t.includes("["))return!1;let e=this.tokenizer.rules.inline.link;for(let i of t.matchAll(this.tokenizer.rules.inline.blockSkip))if(e.test(i[0])&&t.charAt(i.index-1)!=="!")return!0;for(let i of t.matchAll(this.tokenizer.rules.inline.reflinkSearch)){let n=i[0],o=n.lastIndexOf("[");if(!(n.charAt(0)==="!"||!Object.hasOwn(this.tokens.links,dr(n.slice(o+1,-1))))&&!(o>1&&this.linkInText(n.slice(1,o-1))))return!0}return!1}inlineTokens(t,e=[]){this.tokenizer.lexer=this;let i=this.state.linkParenPossible;this.state.linkParenPossible=t.includes(")");try{return this.#e(t,e)}finally{this.state.linkParenPossible=i}}#e(t,e){let i=t.includes("*")||t.includes("_")||t.includes("~"),n=i||this.options.hooks?.emStrongMask||this.tokenizer.emStrong!==_t.prototype.emStrong||this.tokenizer.del!==_t.prototype.del?this.#i(t):t;if(!i)return this.#t(t,n,e);Bu(this.tokenizer,n);try{return this.#t(t,n,e)}finally{Wu(this.tokenizer)}}#t(t,e,i){let n=!1,o="",s=1/0;for(;t;){if(t.length<s)s=t.length;else{this.infiniteLoopError(t.charCodeAt(0));break}n||(o=""),n=!1;let a;if(this.options.extensions?.inline?.some(p=>(a=p.call({lexer:this},t,i))?(t=t.substring(a.raw.length),i.push(a),!0):!1))continue;if(a=this.tokenizer.escape(t)){t=t.substring(a.raw.length),i.push(a);continue}if(a=this.tokenizer.tag(t)){t=t.substring(a.raw.length),i.push(a);continue}if(a=this.tokenizer.link(t)){t=t.substring(a.raw.length),i.push(a);continue}if(a=this.tokenizer.reflink(t,this.tokens.links)){t=t.substring(a.raw.length);let p=i.at(-1);a.type==="text"&&p?.type==="text"?(p.raw+=a.raw,p.text+=a.text):i.push(a);continue}let c=t[0];if(c==="*"||c==="_"){let p=e.length-t.length;if(da(this.tokenizer,e,c)<=p){let h=1;for(;h<t.length&&t.charCodeAt(h)===c.charCodeAt(0);)h++;let m=t.substring(0,h),g=i.at(-1);g?.type==="text"&&!g.escaped?(g.raw+=m,g.text+=m):i.push({type:"text",raw:m,text:m,escaped:!1}),t=t.substring(h),o=c,n=!0;continue}}else if(c==="~"){let p=e.length-t.length;if(pa(this.tokenizer,e)<=p){let h=1;for(;h<t.length&&t.charCodeAt(h)===126;)h++;let m=t.substring(0,h),g=i.at(-1);g?.type==="text"&&!g.escaped?(g.raw+=m,g.text+=m):i.push({type:"text",raw:m,text:m,escaped:!1}),t=t.substring(h),o=c,n=!0;continue}}if(a=this.tokenizer.emStrong(t,e,o)){t=t.substring(a.raw.length),i.push(a);continue}if(a=this.tokenizer.codespan(t)){t=t.substring(a.raw.length),i.push(a);continue}if(a=this.tokenizer.br(t)){t=t.substring(a.raw.length),i.push(a);continue}if(a=this.tokenizer.del(t,e,o)){t=t.substring(a.raw.length),i.push(a);continue}if(a=this.tokenizer.autolink(t)){t=t.substring(a.raw.length),i.push(a);continue}if(!this.state.inLink&&(a=this.tokenizer.url(t))){t=t.substring(a.raw.length),i.push(a);continue}let d=t;if(this.options.extensions?.startInline){let p=1/0,h=t.slice(1),m;this.options.extensions.startInline.forEach(g=>{m=g.call({lexer:this},h),typeof m=="number"&&m>=0&&(p=Math.min(p,m))}),p<1/0&&p>=0&&(d=t.substring(0,p+1))}if(a=this.tokenizer.inlineText(d)){t=t.substring(a.raw.length),a.raw.slice(-1)!=="_"&&(o=a.raw.slice(-1)),n=!0;let p=i.at(-1);p?.type==="text"?(p.raw+=a.raw,p.text+=a.text):i.push(a);continue}if(t){this.infiniteLoopError(t.charCodeAt(0));break}}return i}#r(t){let{blockSkip:e,tag:i,autolink:n}=this.tokenizer.rules.inline,o="",s=0,a;for(e.lastIndex=0;a=e.exec(t);){let c=a.index+(a[2]?a[2].length:0),d=a.index+a[0].length;if(t.charAt(c)==="<"){let p=t.slice(c),h=i.exec(p)||n.exec(p);if(!h){e.lastIndex=c+1;continue}d=c+h[0].length,e.lastIndex=d}o+=t.slice(s,c)+"["+"a".repeat(d-c-2)+"]",s=d}return o+t.slice(s)}#i(t){let e=t;if(this.tokens.links&&t.includes("[")){let i=this.tokenizer.rules.inline.reflinkSearch,n=o=>{let s=o.lastIndexOf("[");if(!Object.hasOwn(this.tokens.links,dr(o.slice(s+1,-1))))return o;if(s>1&&o.charAt(0)!=="!"){let a=o.slice(1,s-1);if(this.linkInText(a))return"["+a.replace(i,n)+"]["+"a".repeat(o.length-s-2)+"]"}return"["+"a".repeat(o.length-2)+"]"};e=e.replace(i,n)}return e=e.replace(this.tokenizer.rules.inline.anyPunctuationOutsideCode,(i,n,o)=>o?"+".repeat(i.length):n?n+i.slice(n.length,-n.length).replace(/`/g,"+")+n:i),e=this.#r(e),e=this.options.hooks?.emStrongMask?.call({lexer:this},e)??e,e}infiniteLoopError(t){let e="Infinite loop on byte: "+t;if(this.options.silent)console.error(e);else throw new Error(e)}},pr=class{options;parser;constructor(r){this.options=r||qt}space(r){return""}code({text:r,lang:t,escaped:e}){let i=(t||"").match(N.notSpaceStart)?.[0],n=r?r.replace(N.endingNewline,"")+`
`:"";return i?'<pre><code class="language-'+V(i)+'">'+(e?n:V(n,!0))+`</code></pre>
`:"<pre><code>"+(e?n:V(n,!0))+`</code></pre>
`}blockquote({tokens:r}){return`<blockquote>
${this.parser.parse(r)}</blockquote>
`}html({text:r}){return r}def(r){return""}heading({tokens:r,depth:t}){return`<h${t}>${this.parser.parseInline(r)}</h${t}>
`}hr(r){return`<hr>
`}list(r){let t=r.ordered,e=r.start,i="";for(let s=0;s<r.items.length;s++){let a=r.items[s];i+=this.listitem(a)}let n=t?"ol":"ul",o=t&&e!==1?' start="'+e+'"':"";return"<"+n+o+`>
`+i+"</"+n+`>
`}listitem(r){return`<li>${this.parser.parse(r.tokens)}</li>
`}checkbox({checked:r}){return"<input "+(r?'checked="" ':"")+'disabled="" type="checkbox"> '}paragraph({tokens:r}){return`<p>${this.parser.parseInline(r)}</p>
`}table(r){let t="",e="";for(let n=0;n<r.header.length;n++)e+=this.tablecell(r.header[n]);t+=this.tablerow({text:e});let i="";for(let n=0;n<r.rows.length;n++){let o=r.rows[n];e="";for(let s=0;s<o.length;s++)e+=this.tablecell(o[s]);i+=this.tablerow({text:e})}return i&&(i=`<tbody>${i}</tbody>`),`<table>
<thead>
`+t+`</thead>
`+i+`</table>
`}tablerow({text:r}){return`<tr>
${r}</tr>
`}tablecell(r){let t=this.parser.parseInline(r.tokens),e=r.header?"th":"td";return(r.align?`<${e} align="${r.align}">`:`<${e}>`)+t+`</${e}>
`}strong({tokens:r}){return`<strong>${this.parser.parseInline(r)}</strong>`}em({tokens:r}){return`<em>${this.parser.parseInline(r)}</em>`}codespan({text:r}){return`<code>${V(r,!0)}</code>`}br(r){return"<br>"}del({tokens:r}){return`<del>${this.parser.parseInline(r)}</del>`}link({href:r,title:t,text:e,tokens:i,autolink:n}){let o=n?V(e,!0):this.parser.parseInline(i),s=Gs(r);if(s===null)return o;r=V(s,n);let a='<a href="'+r+'"';return t&&(a+=' title="'+V(t)+'"'),a+=">"+o+"</a>",a}image({href:r,title:t,text:e,tokens:i}){i&&(e=this.parser.parseInline(i,this.parser.textRenderer));let n=Gs(r);if(n===null)return V(e);r=n;let o=`<img src="${V(r)}" alt="${V(e)}"`;return t&&(o+=` title="${V(t)}"`),o+=">",o}text(r){return"tokens"in r&&r.tokens?this.parser.parseInline(r.tokens):"escaped"in r&&r.escaped?r.text:V(r.text)}},an=class{parser;strong({text:r,tokens:t}){return t?this.parser.parseInline(t,this):r}em({text:r,tokens:t}){return t?this.parser.parseInline(t,this):r}codespan({text:r}){return r}del({text:r,tokens:t}){return t?this.parser.parseInline(t,this):r}html({text:r}){return r}text({text:r}){return r}link({text:r,tokens:t}){return t?this.parser.parseInline(t,this):r}image({text:r,tokens:t}){return t?this.parser.parseInline(t,this):r}br(){return`
`}checkbox({raw:r}){return r}},tt=class Zi{options;renderer;textRenderer;constructor(t){this.options=t||qt,this.options.renderer=this.options.renderer||new pr,this.renderer=this.options.renderer,this.renderer.options=this.options,this.renderer.parser=this,this.textRenderer=new an,this.textRenderer.parser=this}static parse(t,e){return new Zi(e).parse(t)}static parseInline(t,e){return new Zi(e).parseInline(t)}parse(t){this.renderer.parser=this;let e="";for(let i=0;i<t.length;i++){let n=t[i];if(this.options.extensions?.renderers?.[n.type]){let s=n,a=this.options.extensions.renderers[s.type].call({parser:this},s);if(a!==!1||!["space","hr","heading","code","table","blockquote","list","checkbox","html","def","paragraph","text"].includes(s.type)){e+=a===!1?"":a??"";continue}}let o=n;switch(o.type){case"space":{e+=this.renderer.space(o);break}case"hr":{e+=this.renderer.hr(o);break}case"heading":{e+=this.renderer.heading(o);break}case"code":{e+=this.renderer.code(o);break}case"table":{e+=this.renderer.table(o);break}case"blockquote":{e+=this.renderer.blockquote(o);break}case"list":{e+=this.renderer.list(o);break}case"checkbox":{e+=this.renderer.checkbox(o);break}case"html":{e+=this.renderer.html(o);break}case"def":{e+=this.renderer.def(o);break}case"paragraph":{e+=this.renderer.paragraph(o);break}case"text":{e+=this.renderer.text(o);break}default:{let s='Token with "'+o.type+'" type was not found.';if(this.options.silent)return console.error(s),"";throw new Error(s)}}}return e}parseInline(t,e=this.renderer){this.renderer.parser=this;let i="";for(let n=0;n<t.length;n++){let o=t[n];if(this.options.extensions?.renderers?.[o.type]){let a=this.options.extensions.renderers[o.type].call({parser:this},o);if(a!==!1||!["escape","html","link","image","checkbox","strong","em","codespan","br","del","text"].includes(o.type)){i+=a===!1?"":a??"";continue}}let s=o;switch(s.type){case"escape":{i+=e.text(s);break}case"html":{i+=e.html(s);break}case"link":{i+=e.link(s);break}case"image":{i+=e.image(s);break}case"checkbox":{i+=e.checkbox(s);break}case"strong":{i+=e.strong(s);break}case"em":{i+=e.em(s);break}case"codespan":{i+=e.codespan(s);break}case"br":{i+=e.br(s);break}case"del":{i+=e.del(s);break}case"text":{i+=e.text(s);break}default:{let a='Token with "'+s.type+'" type was not found.';if(this.options.silent)return console.error(a),"";throw new Error(a)}}}return i}},Ee=class{options;block;constructor(r){this.options=r||qt}static passThroughHooks=new Set(["preprocess","postprocess","processAllTokens","emStrongMask"]);static passThroughHooksRespectAsync=new Set(["preprocess","postprocess","processAllTokens"]);preprocess(r){return r}postprocess(r){return r}processAllTokens(r){return r}emStrongMask(r){return r}provideLexer(r=this.block){return r?G.lex:G.lexInline}provideParser(r=this.block){return r?tt.parse:tt.parseInline}};function Et(r,t){if(Array.isArray(t))for(let e=0;e<t.length;e++)r.push(t[e]);else r.push(t)}var cn=class{defaults=Yi();options=this.setOptions;parse=this.parseMarkdown(!0);parseInline=this.parseMarkdown(!1);Parser=tt;Renderer=pr;TextRenderer=an;Lexer=G;Tokenizer=_t;Hooks=Ee;constructor(...r){this.use(...r)}walkTokens(r,t){let e=[];for(let i of r)switch(Et(e,t.call(this,i)),i.type){case"table":{let n=i;for(let o of n.header)Et(e,this.walkTokens(o.tokens,t));for(let o of n.rows)for(let s of o)Et(e,this.walkTokens(s.tokens,t));break}case"list":{let n=i;Et(e,this.walkTokens(n.items,t));break}default:{let n=i;this.defaults.extensions?.childTokens?.[n.type]?this.defaults.extensions.childTokens[n.type].forEach(o=>{let s=n[o].flat(1/0);Et(e,this.walkTokens(s,t))}):n.tokens&&Et(e,this.walkTokens(n.tokens,t))}}return e}use(...r){let t=this.defaults.extensions||{renderers:Object.create(null),childTokens:Object.create(null)};return r.forEach(e=>{let i={...e};if(i.async=this.defaults.async||i.async||!1,e.extensions&&(e.extensions.forEach(n=>{if(!n.name)throw new Error("extension name required");if("renderer"in n){let o=t.renderers[n.name];o?t.renderers[n.name]=function(...s){let a=n.renderer.apply(this,s);return a===!1&&(a=o.apply(this,s)),a}:t.renderers[n.name]=n.renderer}if("tokenizer"in n){if(!n.level||n.level!=="block"&&n.level!=="inline")throw new Error("extension level must be 'block' or 'inline'");let o=t[n.level];o?o.unshift(n.tokenizer):t[n.level]=[n.tokenizer],n.start&&(n.level==="block"?t.startBlock?t.startBlock.push(n.start):t.startBlock=[n.start]:n.level==="inline"&&(t.startInline?t.startInline.push(n.start):t.startInline=[n.start]))}"childTokens"in n&&n.childTokens&&(t.childTokens[n.name]=n.childTokens)}),i.extensions=t),e.renderer){let n=this.defaults.renderer||new pr(this.defaults);for(let o in e.renderer){if(!(o in n))throw new Error(`renderer '${o}' does not exist`);if(["options","parser"].includes(o))continue;let s=o,a=e.renderer[s],c=n[s];n[s]=(...d)=>{let p=a.apply(n,d);return p===!1&&(p=c.apply(n,d)),p===!1?"":p??""}}i.renderer=n}if(e.tokenizer){let n=this.defaults.tokenizer||new _t(this.defaults);for(let o in e.tokenizer){if(!(o in n))throw new Error(`tokenizer '${o}' does not exist`);if(["options","rules","lexer"].includes(o))continue;let s=o,a=e.tokenizer[s],c=n[s];n[s]=(...d)=>{let p=a.apply(n,d);return p===!1&&(p=c.apply(n,d)),p}}i.tokenizer=n}if(e.hooks){let n=this.defaults.hooks||new Ee;for(let o in e.hooks){if(!(o in n))throw new Error(`hook '${o}' does not exist`);if(["options","block"].includes(o))continue;let s=o,a=e.hooks[s],c=n[s];Ee.passThroughHooks.has(o)?n[s]=d=>{if(n.options.async&&Ee.passThroughHooksRespectAsync.has(o))return(async()=>{let h=await a.call(n,d);return c.call(n,h)})();let p=a.call(n,d);return c.call(n,p)}:n[s]=(...d)=>{if(n.options.async)return(async()=>{let h=await a.apply(n,d);return h===!1&&(h=await c.apply(n,d)),h})();let p=a.apply(n,d);return p===!1&&(p=c.apply(n,d)),p}}i.hooks=n}if(e.walkTokens){let n=this.defaults.walkTokens,o=e.walkTokens;i.walkTokens=function(s){let a=[];return Et(a,o.call(this,s)),n&&Et(a,n.call(this,s)),a}}this.defaults={...this.defaults,...i}}),this}setOptions(r){return this.defaults={...this.defaults,...r},this}lexer(r,t){return G.lex(r,t??this.defaults)}parser(r,t){return tt.parse(r,t??this.defaults)}parseMarkdown(r){return(t,e)=>{let i={...e},n={...this.defaults,...i},o=this.onError(!!n.silent,!!n.async);if(this.defaults.async===!0&&i.async===!1)return o(new Error("marked(): The async option was set to true by an extension. Remove async: false from the parse options object to return a Promise."));if(typeof t>"u"||t===null)return o(new Error("marked(): input parameter is undefined or null"));if(typeof t!="string")return o(new Error("marked(): input parameter is of type "+Object.prototype.toString.call(t)+", string expected"));if(n.hooks&&(n.hooks.options=n,n.hooks.block=r),n.async)return(async()=>{let s=n.hooks?await n.hooks.preprocess(t):t,a=await(n.hooks?await n.hooks.provideLexer(r):r?G.lex:G.lexInline)(s,n),c=n.hooks?await n.hooks.processAllTokens(a):a;n.walkTokens&&await Promise.all(this.walkTokens(c,n.walkTokens));let d=await(n.hooks?await n.hooks.provideParser(r):r?tt.parse:tt.parseInline)(c,n);return n.hooks?await n.hooks.postprocess(d):d})().catch(o);try{n.hooks&&(t=n.hooks.preprocess(t));let s=(n.hooks?n.hooks.provideLexer(r):r?G.lex:G.lexInline)(t,n);n.hooks&&(s=n.hooks.processAllTokens(s)),n.walkTokens&&this.walkTokens(s,n.walkTokens);let a=(n.hooks?n.hooks.provideParser(r):r?tt.parse:tt.parseInline)(s,n);return n.hooks&&(a=n.hooks.postprocess(a)),a}catch(s){return o(s)}}}onError(r,t){return e=>{if(e.message+=`
Please report this to https://github.com/markedjs/marked.`,r){let i="<p>An error occurred:</p><pre>"+V(e.message+"",!0)+"</pre>";return t?Promise.resolve(i):i}if(t)return Promise.reject(e);throw e}}},Nt=new cn;function D(r,t){return Nt.parse(r,t)}D.options=D.setOptions=function(r){return Nt.setOptions(r),D.defaults=Nt.defaults,ta(D.defaults),D};D.getDefaults=Yi;D.defaults=qt;function Vu(...r){return Nt.use(...r),D.defaults=Nt.defaults,ta(D.defaults),D}D.use=Vu;D.walkTokens=function(r,t){return Nt.walkTokens(r,t)};D.parseInline=Nt.parseInline;D.Parser=tt;D.parser=tt.parse;D.Renderer=pr;D.TextRenderer=an;D.Lexer=G;D.lexer=G.lex;D.Tokenizer=_t;D.Hooks=Ee;D.parse=D;var Cb=D.options,Ab=D.setOptions,Rb=D.walkTokens,Ob=D.parseInline;var Pb=tt.parse,zb=G.lex;var ua={amp:"&",lt:"<",gt:">",quot:'"',apos:"'",nbsp:" ",shy:"­",ensp:" ",emsp:" ",thinsp:" ",zwnj:"‌",zwj:"‍",ndash:"–",mdash:"—",hellip:"…",bull:"•",middot:"·",lsquo:"‘",rsquo:"’",sbquo:"‚",ldquo:"“",rdquo:"”",bdquo:"„",laquo:"«",raquo:"»",lsaquo:"‹",rsaquo:"›",copy:"©",reg:"®",trade:"™",deg:"°",plusmn:"±",times:"×",divide:"÷",frac12:"½",frac14:"¼",frac34:"¾",sup2:"²",sup3:"³",micro:"µ",para:"¶",sect:"§",dagger:"†",euro:"€",pound:"£",yen:"¥",cent:"¢",larr:"←",uarr:"↑",rarr:"→",darr:"↓",harr:"↔",rArr:"⇒",lArr:"⇐",hArr:"⇔",infin:"∞",ne:"≠",le:"≤",ge:"≥",asymp:"≈",equiv:"≡",sum:"∑",prod:"∏",minus:"−",radic:"√",int:"∫",part:"∂",nabla:"∇",isin:"∈",notin:"∉",sub:"⊂",sup:"⊃",cap:"∩",cup:"∪",and:"∧",or:"∨",not:"¬",forall:"∀",exist:"∃",empty:"∅",check:"✓",cross:"✗",star:"☆",starf:"★",hearts:"♥",alpha:"α",beta:"β",gamma:"γ",delta:"δ",epsilon:"ε",theta:"θ",lambda:"λ",mu:"μ",pi:"π",rho:"ρ",sigma:"σ",tau:"τ",phi:"φ",omega:"ω",Delta:"Δ",Sigma:"Σ",Omega:"Ω",auml:"ä",ouml:"ö",uuml:"ü",Auml:"Ä",Ouml:"Ö",Uuml:"Ü",szlig:"ß",eacute:"é",egrave:"è",agrave:"à",ccedil:"ç",ntilde:"ñ",colon:":",sol:"/",Tab:"	",NewLine:`
`,lpar:"(",rpar:")",num:"#",excl:"!",ast:"*",lowbar:"_",vert:"|",grave:"`",dollar:"$"};function ur(r){return r.includes("&")?r.replace(/&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|(\w{1,12}));/g,(t,e,i,n)=>n?Object.hasOwn(ua,n)?ua[n]:t:Gu(e?Number(e):Number.parseInt(i,16))):r}function Gu(r){return r>0&&r<=1114111&&!(r>=55296&&r<=57343)?String.fromCodePoint(r):"�"}var ha=5e3,Qu=60,Zu=/^(\$\$|\\\[|\\\(|\$)/,Yu={$$:"$$",$:"$","\\[":"\\]","\\(":"\\)"},Xu=/^\d[\d.,]*(?:\s+[a-z]{2,}|[kKmM]?[^\S\n]*$)/,hr=null,ln=null,Re=new Set;function ma(r){let t=r.match(Zu)?.[1];if(!t)return;let e=Ju(r,t);if(e<0)return;let i=r.slice(t.length,e);return!i.trim()||t==="$"&&!th(i,r[e+1])?void 0:{type:"math",raw:r.slice(0,e+t.length),text:i,display:t==="$$"||t==="\\["}}function Ju(r,t){let e=Yu[t];for(let i=t.length;i<Math.min(r.length,ha);i++){if(r.startsWith(e,i))return i;r[i]==="\\"&&i++}return-1}function th(r,t=" "){return!/^\s|\s$/.test(r)&&!/[\p{L}\p{N}]/u.test(t)&&!Xu.test(r)}function mr(r,t,e){let i=document.createElement("span");i.className=t?"ock-math ock-math-block":"ock-math",t&&(i.tabIndex=0,i.setAttribute("role","group"),i.setAttribute("aria-label",e.text("markdown.formula")));let n=i.appendChild(document.createElement("code"));return n.textContent=r.trim(),eh(r)&&(hr?hr(r,t,i):(Re.add(()=>hr?.(r,t,i)),rh())),i}function eh(r){if(r.length>ha)return!1;let t=0;for(let e of r)if(e==="{"?t++:e==="}"&&t--,t>Qu)return!1;return!0}function rh(){return ln??=import("./open-chatkit/temml-OGZ52JJX.js").then(r=>{hr=r.draw,$e(ih)},()=>{ln=null,Re.clear()}),ln}function ih(){let[r]=Re;return r?(Re.delete(r),r(),Re.size>0):!1}var nh=new Set(["http:","https:","mailto:","tel:","chatkit-link:"]),oh=/^data:image\/(?:png|jpeg|gif|webp)[;,]/i,fa=()=>globalThis.document?.baseURI??"https://chat.invalid/";function dn(r){if(typeof r!="string")return null;try{return new URL(r,fa())}catch{return null}}function ot(r){let t=dn(r);return t&&nh.has(t.protocol)?t.href:null}function ne(r,t=[]){let e=dn(r);if(!e)return null;if(e.protocol==="data:")return oh.test(e.href)?e.href:null;let i=e.origin===new URL(fa()).origin;return e.protocol==="blob:"?i?e.href:null:e.protocol!=="http:"&&e.protocol!=="https:"||e.username||e.password?null:i||t.some(n=>sh(n,e))?e.href:null}function sh(r,{host:t,hostname:e}){let i=r.trim().toLowerCase().replace(/^https?:\/\//,"");return i.startsWith("*.")?e.endsWith(i.slice(1)):i!==""&&(i===t||i===e)}function ga(r,t){let e=dn(t);if(!e||!/^https?:$/.test(e.protocol))return null;if(e.username||e.hostname.includes("xn--"))return e.host;let i=r.trim().match(new RegExp("^(?:https?:\\/\\/)?((?:[\\p{L}\\p{N}_-]{1,63}\\.)+\\p{L}{2,63})(?![\\p{L}\\p{N}])","u"));if(!i)return null;let n=o=>o.toLowerCase().replace(/^www\./,"");return n(i[1])===n(e.hostname)?null:e.host}function fr(r){let t=r.match(/^chatkit-link:\/*([^/?#]*)[^?#]*(?:\?([^#]*))?/i);if(!t)return null;let e=Object.fromEntries(new URLSearchParams(t[2]??""));return{name:ah(t[1]),data:e}}function ah(r){try{return decodeURIComponent(r)}catch{return r}}var ch=new Set("abbr b bdi cite code del dfn em i ins kbd mark q s samp small strong sub sup u var".split(" ")),lh=/^(?:span|font|center|div|p|section|article|header|footer|main|nav|aside|figure|figcaption|big|tt|strike|table|thead|tbody|tfoot|tr|td|th|ul|ol|li|dl|dt|dd|h[1-6]|blockquote|pre|picture|source|wbr|details|summary|nobr)$/,dh=/^(?:span|font|big|tt|strike|wbr|nobr)$/,ka=20,ph=/^<(\/?)([a-z][a-z0-9-]*)(?=[\s/>])/i,uh=new cn({gfm:!0,extensions:[{name:"math",level:"inline",start:hh,tokenizer:ma},{name:"note",level:"inline",start:r=>r.indexOf("[^"),tokenizer:mh}]});function hh(r){return r.search(/\$|\\[([]/)}function mh(r){let t=r.match(/^\[\^([^\]\s]{1,100})\]/);return t?{type:"note",raw:t[0],label:Lt(t[1])}:void 0}function ba(r,t,e,i){let n=new G({...uh.defaults});n.tokens.links=t.links;let o=new pn(t,e,i),s=document.createDocumentFragment();return o.tokens(n.inlineTokens(r.replaceAll("\0","�")),s),o.remaining(s),[...s.childNodes]}var pn=class{constructor(t,e,i){this.ink=t;this.marks=e;this.sentinel=i;this.next=0;this.depth=0;this.inLink=!1}tokens(t,e){let i=[];for(let n of t){let o=i.at(-1)?.node??e;n.type==="html"?this.tag(n.raw,o,i):this.token(n,o)}}remaining(t){for(;this.next<this.marks.length;this.next++)t.appendChild(this.marks[this.next].node)}token(t,e){switch(t.type){case"strong":case"em":case"del":return this.emphasis(t,e);case"codespan":return this.text(t.text,this.element("code",e,{dir:"auto"}));case"br":e.appendChild(document.createElement("br"));return;case"link":return this.link(t,e);case"image":return this.image(this.clean(t.href),this.clean(t.text),this.clean(t.title),e);case"math":e.appendChild(mr(this.clean(t.text),t.display,this.ink.words));return;case"note":return this.note(t,e);case"text":return t.tokens?.length?this.tokens(t.tokens,e):this.text(ur(t.text),e);default:this.text(t.text??t.raw,e)}}emphasis(t,e){let i=++this.depth<=ka;this.tokens(t.tokens??[],i?this.element(t.type,e,{}):e),this.depth--}element(t,e,i){let n=document.createElement(t);for(let[o,s]of Object.entries(i))n.setAttribute(o,s);return e.appendChild(n)}text(t,e){let[i,...n]=this.sentinel?t.split(this.sentinel):[t];i&&e.appendChild(document.createTextNode(i));for(let o of n){let s=this.marks[this.next++];s&&e.appendChild(s.node),o&&e.appendChild(document.createTextNode(o))}}clean(t){return ur(this.sentinel?(t??"").replaceAll(this.sentinel,""):t??"")}link(t,e){let i=ot(this.clean(t.href));if(!i||this.inLink)return this.tokens(t.tokens??[],e);let n=this.anchor(i,this.clean(t.title),e);this.inLink=!0,this.tokens(t.tokens??[],n),this.inLink=!1,this.realHost(n,i)}anchor(t,e,i){let o=!t.startsWith("chatkit-link:")?{target:"_blank",rel:"noopener noreferrer"}:{},s=e?{title:e}:{};return this.element("a",i,{href:t,...o,...s})}realHost(t,e){let i=ga(t.textContent??"",e);if(!i)return;let n=this.element("bdi",t,{class:"ock-host"});n.textContent=` (${i})`}image(t,e,i,n){let o=ne(t,this.ink.domains);if(o){let c=i?{title:i}:{},d={loading:"lazy",decoding:"async",referrerpolicy:"no-referrer"};this.element("img",n,{alt:e,...d,...c,src:o});return}let s=this.inLink?null:ot(t);if(!s)return this.text(e,n);let a=this.anchor(s,i,n);a.textContent=e.trim()||s,this.realHost(a,s)}note(t,e){let i=this.ink.noteOf(t.label);if(!i)return this.text(t.raw,e);let n=this.ink.words.text("markdown.footnote",{number:i.number}),o=this.element("button",this.element("sup",e,{}),{type:"button",class:"ock-note-mark","aria-label":n});o.textContent=String(i.number),o.addEventListener("click",()=>un(this.ink.noteOf(t.label)?.element,o))}tag(t,e,i){if(t.startsWith("<!--"))return;let n=t.match(ph),o=n?.[2].toLowerCase()??"";o==="br"?e.appendChild(document.createElement("br")):o==="img"&&!n[1]?this.rawImage(t,e):o==="a"?this.rawLink(t,!!n[1],e,i):ch.has(o)?this.format(o,!!n[1],e,i):lh.test(o)?this.text(dh.test(o)?"":" ",e):this.text(t,e)}format(t,e,i,n){if(e){if(n.some(o=>o.name===t))for(;n.pop().name!==t;);}else{let o=n.length<ka?i.appendChild(document.createElement(t)):i;n.push({name:t,node:o})}}rawLink(t,e,i,n){if(e)return this.format("a",!0,i,n);let o=ot(gr(t,"href")),s=this.inLink||n.some(({name:a})=>a==="a");n.push({name:"a",node:o&&!s?this.anchor(o,o,i):i})}rawImage(t,e){this.image(gr(t,"src"),gr(t,"alt"),gr(t,"title"),e)}};function gr(r,t){for(let[,e,i,n,o]of r.matchAll(/\s([a-z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/gi))if(e.toLowerCase()===t)return ur(i??n??o??"");return""}function un(r,t){r&&(r.tabIndex=-1,r.focus({preventScroll:!0}),r.scrollIntoView({block:"nearest"}),t&&hn.set(r,t))}var hn=new WeakMap;var va=/[*_~\\]+$/,fh=/&#?\w{0,12}$/,gh=/<[/!a-z][^>]{0,200}$/i,kh=/(?:^|\n)[ \t]*\|[^\n]*$/;function ya(r){let t=r.replace(kh,"").replace(va,""),{held:e,ends:i}=new mn(t).result(),n=t.slice(0,e).replace(gh,"").replace(fh,"");return i?n.replace(va,"").trimEnd()+i:n}var mn=class{constructor(t){this.text=t;this.at=0;this.open=[];this.held=t.length}result(){for(;this.at<this.held;)this.step();let t=this.open.length>8?"":this.open.reverse().join("");return{held:this.held,ends:t}}step(){let t=this.text[this.at];t==="\\"?this.escape():t==="`"?this.code():t==="$"?this.dollars():t==="["?this.bracket():t==="*"||t==="_"||t==="~"?this.mark(t):this.at++}escape(){let t={"(":"\\)","[":"\\]"}[this.text[this.at+1]??""];t?this.formula(2,t,600):this.at+=2}dollars(){if(this.text[this.at+1]==="$")return this.formula(2,"$$",600);/[\s\d]/.test(this.text[this.at+1]??" ")?this.at++:this.formula(1,"$",80)}formula(t,e,i){let n=this.text.indexOf(e,this.at+t);n>=0?this.at=n+e.length:this.holdOr(i,t)}holdOr(t,e){this.text.length-this.at<=t?this.held=this.at:this.at+=e}code(){let t=this.run(),e=this.endOfCode(this.at+t.length,t.length);e>=0?this.at=e:this.text.length===this.at+t.length?this.held=this.at:(this.open.push(t),this.at=this.text.length)}endOfCode(t,e){for(let i=t;(i=this.text.indexOf("`",i))>=0;){let n=i;for(;this.text[n]==="`";)n++;if(n-i===e)return n;i=n}return-1}bracket(){let t=this.text[this.at-1]==="!"?this.at-1:this.at,e=wa(this.text,this.at,300);e<0?this.text.length-t<=300?this.held=t:this.at++:e===this.text.length-1?this.held=t:this.text[e+1]==="("&&wa(this.text,e+1,3e3)<0?this.text.length-t<=3e3?this.held=t:this.at++:this.at++}mark(t){let e=this.run(),i=this.text[this.at-1]??" ",n=this.text[this.at+e.length]??" ";this.at+=e.length;let o=/\s/.test(i)?e.length:this.close(t,e.length);o===0||/\s/.test(n)||t==="_"&&/\w/.test(i)||(t==="~"&&o>2&&(o=2),this.open.push(t.repeat(Math.min(3,o))))}close(t,e){for(let i;e>0&&(i=this.open.at(-1))&&i[0]===t;)this.open.pop(),i.length>e&&this.open.push(i.slice(e)),e-=Math.min(e,i.length);return e}run(){let t=this.at;for(;this.text[t]===this.text[this.at];)t++;return this.text.slice(this.at,t)}};function wa(r,t,e){let i=r[t],n=i==="["?"]":")",o=0;for(let s=t;s<Math.min(r.length,t+e);s++)if(r[s]==="\\")s++;else if(r[s]===i)o++;else if(r[s]===n&&--o===0)return s;return-1}var fn=class{constructor(){this.code=0;this.brackets=0;this.marks=0}get nothing(){return!this.code&&!this.brackets&&!this.marks}read(t,e){let i=t[e];if(i==="`")return this.ticks(xa(t,e));if(this.code)return 1;if(i==="\\")return 2;if(i==="["||i==="(")this.brackets++;else if(i==="]"||i===")")this.brackets=Math.max(0,this.brackets-1);else if("*_~$".includes(i))return this.mark(t,e,"*_~$".indexOf(i));return 1}ticks(t){return this.code?this.code===t&&(this.code=0):this.code=t,t}mark(t,e,i){let n=xa(t,e),[o,s]=[t[e-1]??" ",t[e+n]??" "],a=/\s/.test(o)&&/\s/.test(s),c=t[e]==="_"&&/\w/.test(o)&&/\w/.test(s);return!a&&!c&&(this.marks^=(n&3)<<2*i),n}};function xa(r,t){let e=t+1;for(;r[e]===r[t];)e++;return e-t}function $a(r,t){let e=new fn,i=-1;for(let n=t;n<r.length;){if(n-t>=600&&bh(r,n)){if(e.nothing)return n;i=n}if(n-t>=2e3)return i>0?i:vh(r,t+2e3);n+=e.read(r,n)}return-1}function bh(r,t){let e=r[t-1];return e!==" "&&e!==`
`?!1:!/[\s\\]/.test(r[t-2])&&/[\p{L}\p{N}]/u.test(r[t])}function vh(r,t){return/[\uDC00-\uDFFF]/.test(r[t]??"")?t-1:t}var wh=["⸬","⸭","⸞","⸟","⸖","⸎"],oe=class{constructor(t,e){this.element=t;this.ink=e;this.segments=[];this.redraw=()=>this.drawStale();this.offsets=new WeakMap}update(t,e,i=[]){let n=0;for(let o=0;o<t.length;n++){let s=this.segments[n],a=s?.sealed&&t.startsWith(s.source,o),c=a?o+s.source.length:$a(t,o),d=c<0?t.length:c,p=e&&d===t.length,h=a?s.source:t.slice(o,d),m=c>=0&&!a?er(h):h,g=i.filter(({at:y})=>y>=o&&(y<d||d===t.length));yh(s,m,p,g)||this.draw(n,{source:m,sealed:c>=0,healed:p},g,o),o=d}for(let o of this.segments.splice(n))this.drop(o)}dispose(){for(let t of this.segments)this.unlisten(t);this.ink.again.delete(this.redraw)}meaning(t){for(let e of this.segments)e.stale||=e.labels.includes(t);this.ink.again.add(this.redraw)}drawStale(){this.segments.forEach((t,e)=>{t.stale&&this.fill(t,e)})}draw(t,e,i,n){let o=this.segments[t],s={nodes:o?.nodes??[],labels:[],stale:!1,...e,marks:xh(i)};o&&this.unlisten(o),this.segments[t]=s,this.offsets.set(s,i.map(({at:a})=>a-n)),this.listen(s),this.fill(s,t)}fill(t,e){t.stale=!1;let i=t.healed?ya(t.source):t.source,n=t.marks.length?wh.find(c=>!i.includes(c)):"",o=n?$h(i,this.offsets.get(t),n):i,s=ba(o,this.ink,t.marks,n??""),a=this.segments.slice(e+1).find(c=>c.nodes.length)?.nodes[0]??null;t.nodes=Th(this.element,t.nodes,s,a,!t.marks.length)}drop(t){this.unlisten(t);for(let e of t.nodes)e.remove()}listen(t){if(!t.source.includes("["))return;let e=t.source.matchAll(/\[([^[\]]{1,300})\]/g);t.labels=[...new Set([...e].map(([,i])=>Lt(i)))];for(let i of t.labels)this.ink.listen(i,this)}unlisten(t){for(let e of t.labels)this.segments.some(i=>i!==t&&i.labels.includes(e))||this.ink.forget(e,this)}};function yh(r,t,e,i){return!r||r.source!==t||r.healed!==e?!1:r.marks.length===i.length&&i.every(({mark:n},o)=>r.marks[o]===n)}function xh(r){return r.map(({mark:t})=>t)}function $h(r,t,e){let i="",n=0;for(let o of t)i+=r.slice(n,o)+e,n=Math.max(n,Math.min(o,r.length));return i+r.slice(n)}function Th(r,t,e,i,n){let o=0;if(n)for(;t[o]&&e[o]&&Eh(t[o],e[o]);)o++;for(let s of t.slice(o))s.remove();for(let s of e.slice(o))r.insertBefore(s,i);return[...t.slice(0,o),...e.slice(o)]}function Eh(r,t){return r.nodeType===3&&t.nodeType===3?(r.data!==t.data&&(r.data=t.data),!0):r.isEqualNode(t)}var Sh=50,kr=class{constructor(t){this.ink=t;this.node=document.createElement("div");this.table=this.node.appendChild(document.createElement("table"));this.head=this.table.appendChild(document.createElement("thead"));this.body=this.table.appendChild(document.createElement("tbody"));this.lines=[];this.align="";this.widths=null;this.node.className="ock-scroll ock-table",this.node.tabIndex=0,this.node.setAttribute("role","region"),this.table.dir="auto",this.node.setAttribute("aria-label",t.words.text("markdown.table"))}update(t,e){let i=t.align.join();this.align!==i&&this.clear(),this.align=i,t.rows.forEach((n,o)=>{this.line(n,o,t,e&&o===t.rows.length-1)});for(let n of this.lines.splice(t.rows.length)){for(let o of n.cells)o.dispose();n.element.remove()}}dispose(){for(let{cells:t}of this.lines)for(let e of t)e.dispose()}clear(){this.dispose();for(let{element:t}of this.lines)t.remove();this.lines=[]}line(t,e,i,n){let o=this.ink.marks.get(t)??[],s=this.lines[e];if(s?.row===t&&s.tail===n&&s.marks===o.length)return;let{element:a,cells:c}=s??this.newLine(e,i),d=ee(t.text);c.forEach((p,h)=>{let m=h===Math.min(d.length,c.length)-1,g=o.filter($=>Ch(t,$,c.length)===h),y=d[h]??"";p.update(y,n&&m,g.map($=>({mark:$,at:y.length})))}),this.lines[e]={row:t,tail:n,marks:o.length,element:a,cells:c}}newLine(t,e){t>1&&t%Sh===1&&this.newGroup();let i=t===0?this.head:this.body,n=t===0?"th":"td",o=i.childNodes.length===0,s=i.appendChild(document.createElement("tr"));this.widths&&s.setAttribute("role","row");let a=e.align.map((c,d)=>{let p=s.appendChild(document.createElement(n));return(t>0||d>0)&&(p.dir="auto"),n==="th"&&p.setAttribute("scope","col"),c&&(p.className=`ock-${c}`),this.widths&&p.setAttribute("role","cell"),this.widths&&o&&(p.style.inlineSize=this.widths[d]??""),new oe(p,this.ink)});return{element:s,cells:a}}newGroup(){this.widths||this.fix(),this.widths&&(this.body=this.table.appendChild(document.createElement("tbody")),this.body.setAttribute("role","rowgroup"))}fix(){let t=[...this.head.querySelectorAll("th")];if(!this.node.isConnected||!t[0]?.offsetWidth)return;let e=Number.parseFloat(getComputedStyle(this.table).fontSize),i=t.map(n=>`${(n.getBoundingClientRect().width/e).toFixed(2)}em`);this.widths=i,this.table.classList.add("ock-long");for(let n of[this.head,this.body])for(let[o,s]of[...n.firstElementChild?.children??[]].entries())s.style.inlineSize=i[o];this.giveRoles()}giveRoles(){let t={thead:"rowgroup",tbody:"rowgroup",tr:"row",th:"columnheader",td:"cell"};this.table.setAttribute("role","table");for(let[e,i]of Object.entries(t))for(let n of this.table.querySelectorAll(e))n.setAttribute("role",i)}};function Ch(r,t,e){let i=r.text.slice(0,Math.max(0,t.index-r.source)).trimEnd(),n=ee(i.endsWith("|")?i.slice(0,-1):i);return Math.max(0,Math.min(n.length,e)-1)}function Ah(r,t){switch(r.type){case"heading":return`h${Math.min(6,t.top-1+r.level)}`;case"list":return r.first===null?"ul":"ol";case"math":return r.name==="failed"?"source":"math";default:return r.type}}function Rh(r,t,e,i){switch(r){case"ul":case"ol":return new gn(r,e,i);case"item":return new kn(e,i);case"quote":return new ft("blockquote",e,i);case"details":return new bn(e,i);case"footnote":return new vn(e,i);case"code":return new sr(e);case"table":return new kr(e);case"math":return new wn(e);case"rule":return new vr(document.createElement("hr"));case"definition":return new yn(t,e);case"paragraph":case"source":return new br("p",e,i);default:return new br(r,e,i)}}function Ea(r,t){t==="own"&&(r.dir="auto")}var ft=class{constructor(t,e,i){this.ink=e;this.lead=i;this.drawn=[];this.node=document.createElement(t),Ea(this.node,i)}update(t,e){t.children.forEach((i,n)=>this.child(n,i,e&&n===t.children.length-1));for(let{part:i}of this.drawn.splice(t.children.length))Ta(i)}dispose(){for(let{part:t}of this.drawn)t.dispose()}child(t,e,i){let{version:n}=e,o=this.marksOf(e),s=this.drawn[t];if(s?.block===e&&s.version===n&&s.tail===i&&s.marks===o)return;let a=Ah(e,this.ink),c=s?.kind===a?s.part:Rh(a,e,this.ink,this.leadOf(t));s&&c!==s.part?(s.part.node.before(c.node),Ta(s.part)):s||this.node.append(c.node),this.drawn[t]={kind:a,part:c,block:e,version:n,tail:i,marks:o},c.update(e,i)}leadOf(t){return t===0&&this.lead!=="follows"?"leads":"own"}marksOf(t){return this.ink.marks.size?this.ink.marksBelow.get(t)??"":""}};function Ta(r){r.dispose(),r.node.remove()}var gn=class extends ft{update(t,e){this.node.classList.toggle("ock-loose",t.loose),t.first!==null&&t.first!==1&&this.node.setAttribute("start",String(t.first)),super.update(t,e)}leadOf(t){return super.leadOf(t)==="leads"?"leads":"follows"}},kn=class extends ft{constructor(e,i){super("li",e,i);this.box=null}update(e,i){e.task===null!=(this.box===null)&&this.toggleBox(e.task!==null),this.box&&(this.box.checked=e.task===!0),this.node.classList.toggle("ock-task",e.task!==null),super.update(e,i)}toggleBox(e){this.box?.remove(),this.box=e?document.createElement("input"):null,this.box&&(this.box.type="checkbox",this.box.disabled=!0,this.box.setAttribute("aria-label",this.ink.words.text("markdown.task")),this.node.prepend(this.box))}},bn=class extends ft{constructor(e,i){super("details",e,i);this.opened=null}update(e,i){this.opened===null&&this.node.toggleAttribute("open",this.opened=e.loose),super.update(e,i)}},vn=class extends ft{constructor(e,i){super("div",e,i);this.name=null;this.back=document.createElement("button");this.node.className="ock-note",this.node.setAttribute("role","note"),this.back.type="button",this.back.className="ock-note-mark",this.back.addEventListener("click",()=>un(hn.get(this.node))),this.node.append(this.back)}update(e,i){if(this.name!==e.name){this.name!==null&&this.ink.forgetNote(this.name),this.name=e.name;let n=this.ink.note(e.name,this.node);this.back.textContent=String(n),this.back.setAttribute("aria-label",this.ink.words.text("markdown.back",{number:n}))}super.update(e,i)}dispose(){this.name!==null&&this.ink.forgetNote(this.name),super.dispose()}},br=class{constructor(t,e,i){this.ink=e;this.node=document.createElement(t),Ea(this.node,i),this.text=new oe(this.node,e)}update(t,e){if(t.name==="failed")return this.text.update(`${t.fence==="$$"?"\\$\\$":"\\\\["}${t.text}`,!1);let i=e?t.text:t.text.trimEnd();this.text.update(i,e,Oh(this.ink.marks.get(t),t.places,i.length))}dispose(){this.text.dispose()}};function Oh(r=[],t,e){return r.map(i=>{let n=t.findLastIndex(({source:c})=>c<=i.index),{at:o,source:s}=t[Math.max(0,n)]??{at:0,source:0},a=t[n+1]?t[n+1].at-1:e;return{mark:i,at:Math.max(0,Math.min(o+i.index-s,a))}})}var wn=class{constructor(t){this.ink=t;this.node=document.createElement("div");this.text=null;this.node.className="ock-scroll ock-formula"}update(t){let e=this.ink.marks.get(t)??[];if(!t.closed){this.node.replaceChildren(),this.text=null;return}let i=`${t.text}
${e.length}`;if(this.text===i)return;this.text=i;let n=t.text.trim()?[mr(t.text,!0,this.ink.words)]:[];this.node.replaceChildren(...n,...e.map(({node:o})=>o))}dispose(){}},vr=class{constructor(t){this.node=t}update(){}dispose(){}},yn=class extends vr{constructor(t,e){super(document.createTextNode("")),e.define(t.name,{href:t.url,title:t.title})}};var Ph=500,wr=class{constructor(){this.ink=new ir;this.parser=new rr;this.body=new ft("div",this.ink,"follows");this.text="";this.read=0;this.ended=!1;this.marks=[]}get node(){return this.body.node}goesOnWith(t){return t.startsWith(this.text)?!this.ended||t.length===this.text.length||this.parser.mayGoOn:!1}draw(t,e,i,n){t.length>this.text.length&&(this.ended=!1),this.text=t,this.marks=i;do this.step(e);while(!this.finished(e)&&performance.now()<n);return this.finished(e)}dispose(){this.body.dispose()}finished(t){return this.read===this.text.length&&(t||this.ended)&&this.ink.again.size===0}step(t){let[e]=this.ink.again;if(e){this.ink.again.delete(e),e();return}if(this.read<this.text.length){let n=Math.min(this.text.length,this.read+Ph);this.parser.push(er(this.text.slice(this.read,n))),this.read=n}this.read===this.text.length&&!t&&!this.ended&&(this.parser.end(),this.ended=!0),qs(this.marks,this.parser.root,this.ended?1/0:this.read,this.ink),this.body.update(this.parser.root,!this.ended)}};var zh=1500,xn=class extends b{constructor(){super(...arguments);this.drawing=null;this.settings="";this.done=!0;this.next=null;this.follow=e=>{let i=e.target.closest?.("a[href]"),n=fr(i?.getAttribute("href")??"");n&&(e.preventDefault(),this.chat.emit("chatkit.deeplink",n))}}static{this.properties={...b.properties,value:{attribute:!1},streaming:{attribute:!1},options:{attribute:!1}}}topics(){return["options"]}connectedCallback(){super.connectedCallback(),this.addEventListener("click",this.follow)}async scheduleUpdate(){this.next&&await this.next,await super.scheduleUpdate()}render(){let e=this.drawn();return l`${e.node}`}drawn(){let e=String(this.value??""),i=this.drawingFor(e),n=performance.now(),o=this.options?.marks??[],s=e.length<=zh?1/0:or.until;return this.done=i.draw(e,!!this.streaming,o,s),or.took(performance.now()-n),this.next=this.done&&!this.streaming?null:or.rest(),i}updated(){this.done||this.requestUpdate()}drawingFor(e){let{options:i,conversation:n,words:o}=this.chat,s=[...i.allowedImageDomains??[],...n.thread?.allowed_image_domains??[]],a=this.options?.heading??3,c=JSON.stringify([s,a,o.locale]);return this.drawing?.goesOnWith(e)&&this.settings===c?this.drawing:(this.drawing?.dispose(),this.settings=c,this.drawing=new wr,Object.assign(this.drawing.ink,{domains:s,top:a,words:o}),this.drawing.node.className="ock-text",this.drawing)}};x("ock-markdown",xn);var se=class extends Error{constructor(t,e){super(t),this.name="ParseError",this.type=e.type,this.field=e.field,this.value=e.value,this.line=e.line}};var yr=10,xr=13,Ut=32,Sa=6;function $n(r){if(typeof r=="function")throw new TypeError("`config` must be an object, got a function instead. Did you mean `createParser({onEvent: fn})`?");let{maxBufferSize:t,onComment:e,onError:i,onEvent:n,onId:o,onRetry:s}=r,a=[],c=0,d="",p,h="",m=0,g,y=!1,$=!1,E=!1;function P(f){if(y)throw new Error("Cannot feed parser: it was terminated after exceeding the configured max buffer size. Call `reset()` to resume parsing.");if(d!==void 0){if(f=d+f,f===""||f==="ï"||f==="ï»"){d=f;return}d=void 0,f=f.replace(/^(?:\uFEFF|\xEF\xBB\xBF)/,"")}if(($||E)&&(f=X(f),!f))return;if(!a.length){let R=yt(f);R!==""&&I(R),j();return}if(f.indexOf(`
`)===-1&&f.indexOf("\r")===-1){if(c<Sa){let R=a.join("")+f.slice(0,Sa-c);if(!wt(R)){a.length=0,c=0,$=!0;return}}a.push(f),c+=f.length,j();return}a.push(f);let k=a.join("");a.length=0,c=0,I(yt(k)),j()}function X(f){if(f.length===0)return f;if(E)return E=!1,f.charCodeAt(0)===yr?f.slice(1):f;let k=f.indexOf("\r"),R=f.indexOf(`
`),O=k===-1?R:R===-1||k<R?k:R;return O===-1?"":O===f.length-1&&f.charCodeAt(O)===xr?($=!1,E=!0,""):($=!1,f.slice(O+(f.charCodeAt(O)===xr&&f.charCodeAt(O+1)===yr?2:1)))}function I(f){if(f){if(f.charCodeAt(f.length-1)===xr){if(ht(f,0,f.length-1),j())return;E=!0;return}if(wt(f)){a.push(f),c=f.length;return}$=!0}}function wt(f){let k=f.charCodeAt(0);return k===58&&!!e||k===100&&$r(f,"data")||k===101&&$r(f,"event")||k===105&&$r(f,"id")||k===114&&$r(f,"retry")}function j(){return y?!0:t===void 0||c+h.length<=t?!1:(y=!0,a.length=0,c=0,p=void 0,h="",m=0,g=void 0,$=!1,E=!1,i?.(new se(`Buffered data exceeded max buffer size of ${t} characters`,{type:"max-buffer-size-exceeded"})),!0)}function yt(f){let k=0;if(f.indexOf("\r")===-1){let M=f.indexOf(`
`,k);for(;M!==-1;){if(k===M){p!==void 0&&o?.(p),m>0&&n?.({id:p,event:g,data:h}),p=void 0,h="",m=0,g=void 0,k=M+1,M=f.indexOf(`
`,k);continue}let F=f.charCodeAt(k);if(Ca(f,k,F)){let Mi=f.charCodeAt(k+5)===Ut?k+6:k+5,we=f.slice(Mi,M);if(m===0&&f.charCodeAt(M+1)===yr){p!==void 0&&o?.(p),n?.({id:p,event:g,data:we}),p=void 0,h="",g=void 0,k=M+2,M=f.indexOf(`
`,k);continue}h=m===0?we:`${h}
${we}`,m++}else Aa(f,k,F)?g=f.slice(f.charCodeAt(k+6)===Ut?k+7:k+6,M)||void 0:ht(f,k,M);if(j())return"";k=M+1,M=f.indexOf(`
`,k)}return f.slice(k)}let R=f.indexOf("\r",k),O=f.indexOf(`
`,k);for(;k<f.length;){let M=-1;if(R!==-1&&O!==-1?M=R<O?R:O:R!==-1?R===f.length-1?M=-1:M=R:O!==-1&&(M=O),M===-1)break;if(ht(f,k,M),j())return"";k=M+1,f.charCodeAt(k-1)===xr&&f.charCodeAt(k)===yr&&k++,R!==-1&&R<k&&(R=f.indexOf("\r",k)),O!==-1&&O<k&&(O=f.indexOf(`
`,k))}return f.slice(k)}function ht(f,k,R){if(k===R){Mt();return}let O=f.charCodeAt(k);if(Ca(f,k,O)){let Gt=f.charCodeAt(k+5)===Ut?k+6:k+5,rs=f.slice(Gt,R);h=m===0?rs:`${h}
${rs}`,m++;return}if(Aa(f,k,O)){g=f.slice(f.charCodeAt(k+6)===Ut?k+7:k+6,R)||void 0;return}if(O===105&&f.charCodeAt(k+1)===100&&f.charCodeAt(k+2)===58){let Gt=f.slice(f.charCodeAt(k+3)===Ut?k+4:k+3,R);Gt.includes("\0")||(p=Gt);return}if(O===58){if(e){let Gt=f.slice(k,R);e(Gt.slice(f.charCodeAt(k+1)===Ut?2:1))}return}let M=f.slice(k,R),F=M.indexOf(":");if(F===-1){it(M,"",M);return}let Mi=M.slice(0,F),we=M.charCodeAt(F+1)===Ut?2:1,hp=M.slice(F+we);it(Mi,hp,M)}function it(f,k,R){switch(f){case"event":g=k||void 0;break;case"data":h=m===0?k:`${h}
${k}`,m++;break;case"id":k.includes("\0")||(p=k);break;case"retry":/^\d+$/.test(k)?s?.(parseInt(k,10)):i?.(new se(`Invalid \`retry\` value: "${k}"`,{type:"invalid-retry",value:k,line:R}));break;default:i?.(new se(`Unknown field "${f.length>20?`${f.slice(0,20)}…`:f}"`,{type:"unknown-field",field:f,value:k,line:R}));break}}function Mt(){p!==void 0&&o?.(p),m>0&&n?.({id:p,event:g,data:h}),p=void 0,h="",m=0,g=void 0}function Vt(f={}){if(f.consume&&a.length>0){let k=a.join("");ht(k,0,k.length)}d="",p=void 0,h="",m=0,g=void 0,a.length=0,c=0,y=!1,$=!1,E=!1}return{feed:P,reset:Vt}}function Ca(r,t,e){return e===100&&r.charCodeAt(t+1)===97&&r.charCodeAt(t+2)===116&&r.charCodeAt(t+3)===97&&r.charCodeAt(t+4)===58}function Aa(r,t,e){return e===101&&r.charCodeAt(t+1)===118&&r.charCodeAt(t+2)===101&&r.charCodeAt(t+3)===110&&r.charCodeAt(t+4)===116&&r.charCodeAt(t+5)===58}function $r(r,t){let e=1;for(;e<r.length&&e<t.length;){if(r.charCodeAt(e)!==t.charCodeAt(e))return!1;e++}return r.length<=t.length||r.charCodeAt(t.length)===58}function Ht(r,t){return Math.min(r*2**t,1e4)*(.5+Math.random()/2)}function Ra(){return new Promise(r=>{let{port1:t,port2:e}=new MessageChannel;t.onmessage=()=>{t.close(),r()},e.postMessage(null)})}async function Oa(r,t){if(!r)return t;let e,i=new Promise((n,o)=>{e=setTimeout(()=>o(Error("Nothing was received")),r)});return Promise.race([t,i]).finally(()=>clearTimeout(e))}var Tr=class{constructor(t=()=>{}){this.changed=t;this.state="online";this.failing=!1;this.inDoubt=!1;this.end=new AbortController;this.listen()}listen(){this.end.abort(),this.end=new AbortController;for(let t of["online","offline"]){let e=()=>{this.inDoubt=t==="offline",this.update()};globalThis.addEventListener?.(t,e,{signal:this.end.signal})}}failed(){this.failing=!0,this.update()}answered(){this.failing=this.inDoubt=!1,this.update()}async wait(t,e){e?.throwIfAborted();let i=this.state==="offline";return await new Promise(n=>{let o=new AbortController,s={signal:o.signal},a=()=>{clearTimeout(c),o.abort(),n()},c=setTimeout(a,i?1e4:t);globalThis.addEventListener?.("online",a,s),e?.addEventListener("abort",a,s)}),e?.throwIfAborted(),i?0:1}close(){this.end.abort()}update(){let t=globalThis.navigator?.onLine===!1,i=!this.failing&&!this.inDoubt?"online":t?"offline":"reconnecting";i!==this.state&&(this.state=i,this.changed())}};var Pa={repeats:5,rereads:3,repeatAfter:1e3,resumes:8,resumeAfter:250,silence:6e4};var _=class extends Error{constructor(e,i){super(i);this.status=e;this.name="Refused"}},St=class extends Error{constructor(){super(...arguments);this.name="Lost"}},Mh=12,Sr=class{constructor(t){this.options=t;this.hasTurns=null;this.hasThreadEvents=!0;this.mayHaveTurns=!1;this.frame=ae();this.patience={...Pa,...t.patience},this.url=new URL(t.url,globalThis.document?.baseURI??"http://localhost/")}async ask(t,e,i){let{network:n}=this.options,o=Lh.includes(t)?this.patience.rereads:0;for(let s=0;;){try{let a=await this.post(Tn(t,e),{},i);if(a.ok)return await a.json();throw await Er(a)}catch(a){if(i?.throwIfAborted(),a instanceof _&&a.status<500||s>=o)throw this.givenUp(a)}n.failed(),s+=await n.wait(Ht(this.patience.repeatAfter,s),i)}}async*stream(t,e,i){let n=await this.begin(Tn(t,e),i.signal),o=n.headers.get("X-Turn-Id");if(!o)return this.hasTurns??=!1,yield*this.readOnce(n,i.signal);this.hasTurns=!0,i.onTurn?.(o),yield*this.readTurn(o,0,i.signal,n)}follow(t,e,i){return this.readTurn(t,e,i)}async runningTurn(t,e,i=0){if(this.hasTurns===null&&!this.mayHaveTurns&&await this.post(Tn("threads.get_by_id",{thread_id:t}),{},e),this.hasTurns===!1)return null;let n=`threads/${encodeURIComponent(t)}/turn`,o=await this.get(n,e,{wait:String(i)}),s=await o.json().catch(()=>null),a=o.ok&&typeof s?.id=="string";return a||o.status===204?this.hasTurns=!0:o.status<500&&(this.hasTurns??=typeof s?.message=="string"),a?s:null}async*watch(t,e){let i=`threads/${encodeURIComponent(t)}/events`,n=await this.get(i,e,{turns:"notes"});if(!En(n))throw await Er(n);try{for await(let{batch:o}of this.read(n,this.patience.silence))for(let{event:s}of o)yield s}catch{e.throwIfAborted()}}async turnState(t,e){let i=await this.get(`turns/${encodeURIComponent(t)}`,e),n=await i.json().catch(()=>null);return i.ok&&typeof n?.state=="string"?n:null}async cancel(t){let e=`turns/${encodeURIComponent(t)}/cancel`;for(let i=0;i<4;i++){try{if((await this.send(this.at(e),{method:"POST",keepalive:!0})).status<500)return}catch{this.options.network.failed()}await this.options.network.wait(Ht(this.patience.resumeAfter,i))}}async begin(t,e){let{network:i}=this.options,{repeats:n,repeatAfter:o}=this.patience,s={};(this.isOwnOrigin||this.hasTurns)&&(s["Idempotency-Key"]=ae());for(let a=0;;){let c=Ht(o,a);try{let d=await this.post(t,s,e);if(En(d))return d;let p=await Er(d);if(d.status>=400&&d.status<500||a>=n)throw p;c=Math.max(c,Ih(d))}catch(d){if(e.throwIfAborted(),d instanceof _||a>=n)throw this.givenUp(d)}i.failed(),a+=await i.wait(c,e)}}async*readTurn(t,e,i,n){let{network:o}=this.options,[s,a,c]=[n,e,0];for(;;){try{s??=await this.resume(t,a,i);for await(let{batch:d,ended:p}of this.read(s,this.patience.silence)){let h=d.filter(({id:m})=>!m||za(m)>a);if(a=h.reduce((m,{id:g})=>Math.max(m,g?za(g):0),a),o.answered(),h.length&&(c=0,yield h),p)return}if(await this.isOver(t,a,i))return}catch(d){if(i.throwIfAborted(),d instanceof St)throw d}if(i.throwIfAborted(),s=void 0,c>=this.patience.resumes)throw this.givenUp(new St);o.failed(),c+=await o.wait(Ht(this.patience.resumeAfter,c),i)}}async isOver(t,e,i){let n=await this.turnState(t,i);return n!==null&&n.state!=="running"&&(n.events??e)<=e}async resume(t,e,i){let n=`turns/${encodeURIComponent(t)}/events`,o=await this.get(n,i,{after:String(e)});if(En(o))return o;throw o.status<500&&o.status!==429?new St:await Er(o)}async*readOnce(t,e){this.options.network.answered();try{for await(let{batch:i}of this.read(t))i.length&&(yield i)}catch(i){throw e.throwIfAborted(),new St(String(i))}}async*read(t,e=0){let[i,n]=[[],!1],o=$n({onEvent:({data:d,id:p})=>{let h=Dh(d);h&&i.push({event:h,id:p})},onComment:d=>{n||=d.trim()==="end"}}),s=new TextDecoder,a=t.body.getReader(),c=performance.now();try{for(;;){let{value:d,done:p}=await Oa(e,a.read());if(p)return;o.feed(s.decode(d,{stream:!0})),yield{batch:i,ended:n},i=[],!(performance.now()-c<Mh)&&(await Ra(),c=performance.now())}}finally{a.cancel().catch(()=>{})}}post(t,e,i){let n={"Content-Type":"application/json","chatkit-frame-instance-id":this.frame};return this.send(this.url,{method:"POST",body:t,headers:{...n,...e},signal:i})}get(t,e,i={}){let n=this.at(t);for(let[o,s]of Object.entries(i))n.searchParams.set(o,s);return this.send(n,{method:"GET",cache:"no-store",signal:e})}async send(t,{signal:e,...i}){let{fetch:n,locale:o,network:s}=this.options,a={...i.headers,"Accept-Language":o()},c=await n(t.href,{...i,headers:a,...e?{signal:e}:{}});return c.status<500&&s.answered(),this.mayHaveTurns||=c.headers.has("X-Request-Id"),c.ok&&!this.mayHaveTurns&&(this.hasTurns??=!1),c}at(t){let e=new URL(this.url);return e.pathname=`${e.pathname.replace(/\/$/,"")}/${t}`,e}givenUp(t){return this.options.network.answered(),t}get isOwnOrigin(){return this.url.origin===globalThis.location?.origin}};function Tn(r,t){return JSON.stringify({type:r,params:t})}var Lh=["threads.get_by_id","threads.list","items.list"];function En(r){let t=r.headers.get("Content-Type")??"";return r.ok&&t.startsWith("text/event-stream")&&r.body!==null}async function Er(r){let t=await r.json().catch(()=>null),e=typeof t?.message=="string"?t.message:"";return new _(r.status,e)}function Ih(r){let t=Number(r.headers.get("Retry-After"));return Number.isFinite(t)?Math.min(Math.max(t,0),60)*1e3:0}function Dh(r){try{let t=JSON.parse(r);return typeof t=="object"&&t!==null&&"type"in t?t:null}catch{return null}}function za(r){return Number(r.slice(r.lastIndexOf(":")+1))||0}function ae(){let r=crypto.getRandomValues(new Uint8Array(16));return Array.from(r,t=>t.toString(16).padStart(2,"0")).join("")}function w(r){return typeof r=="string"?r:typeof r=="number"||typeof r=="boolean"?String(r):""}function st(r){if(typeof r!="object"||r===null)return null;let t=r;return typeof t.type=="string"?t:null}function C(r,...t){return t.includes(r)?r:t[0]}function et({children:r}){return(Array.isArray(r)?r:[r]).filter(e=>typeof e=="object"&&e!==null&&!Array.isArray(e))}var Ma="input:not([role]), textarea, select",_h={radio:"widget.choose",checkbox:"widget.tick"},Nh=1e4;function ce(r){return[...r.querySelectorAll(Ma)]}function Cr(r){return r.dataset.name??r.name}function Ft({problems:r,id:t},e){return r.has(t(e))?"true":u}function Bt({problems:r,id:t},e){let i=r.get(t(e));return i?l`<p class="ock-w-problem" id=${`${t(e)}-problem`}>${i}</p>`:u}function Wt(r,t,e){let i=st(r.onChangeAction);return({currentTarget:n})=>{i&&t.act(i,n,e)}}function gt(r){return w(r.placeholder)||w(r.name).replaceAll(/[._-]+/g," ")}function La(r,t){let{validity:e}=r;return r.disabled?null:e.valueMissing?t.text(_h[r.type]??"widget.required"):e.typeMismatch?t.text(r.type==="email"?"widget.email":"widget.url"):e.badInput?t.text("widget.number"):e.patternMismatch||!qh(r)?t.text("widget.pattern"):e.valid?null:r.validationMessage}function qh({dataset:r,value:t}){let e=r.pattern;if(!e||!t||t.length>Nh)return!0;try{return new RegExp(`^(?:${e})$`,"u").test(t)}catch{return!0}}function Ar(r){let t=r.closest("[role=radiogroup]"),e=r.type==="hidden"?r.parentElement:null;return t??e?.querySelector("[role=combobox]")??r}function Rr(r){let t=[...r.querySelectorAll("label[data-field]")],e=new Set(ce(r).map(Ar));for(let i of e){let n=t.find(a=>Uh(a,i));Hh(i,n);let o=`${i.id}-problem`,s=i.getAttribute("aria-invalid")==="true";Sn(i,"aria-describedby",s?o:null)}}function Uh(r,t){let e=t.matches("button"),i=t.matches(Ma)?t:ce((e?t.parentElement:null)??t)[0];return!i||r.closest("form")!==t.closest("form")?!1:Cr(i)===r.dataset.field}function Hh(r,t){let e=r.getAttribute("role")==="radiogroup";t&&!e&&(t.htmlFor=r.id),Sn(r,"aria-labelledby",t&&e?t.id:null),Sn(r,"aria-label",t?null:r.dataset.label??null)}function Sn(r,t,e){e===null||e===""?r.removeAttribute(t):r.getAttribute(t)!==e&&r.setAttribute(t,e)}function Ia(r){let t={};for(let e of r){let i=e.type==="radio"&&!e.checked;Cr(e)&&!e.disabled&&!i&&Da(t,Cr(e).split("."),Fh(e))}return t}function Fh(r){return r.type==="checkbox"?r.checked:r.value}function Da(r,[t,...e],i){t===void 0||t==="__proto__"||(e.length?(Or(qa(r,t))||(r[t]={}),Da(r[t],e,i)):r[t]=i)}function _a(r,t){return Object.keys(t).length?r==null?t:Or(r)?Na(t,r):r:r}function Na(r,t){let e={...r};for(let[i,n]of Object.entries(t)){let o=qa(r,i);e[i]=Or(o)&&Or(n)?Na(o,n):n}return e}function qa(r,t){return Object.hasOwn(r,t)?r[t]:void 0}function Or(r){return typeof r=="object"&&r!==null&&!Array.isArray(r)}var Bh=/^[\w\s.,%#()+\-*/]+$/,Wh=/([a-z-]*)\(/gi,jh=/\/\*|\*\//,Kh=new Set("calc min max clamp fit-content rgb rgba hsl hsla hwb lab lch oklab oklch color color-mix".split(" "));function kt(r,t){if(!(typeof t!="string"||t.length>100)&&!(!Bh.test(t)||jh.test(t))){for(let[,e=""]of t.matchAll(Wh))if(e&&!Kh.has(e.toLowerCase()))return;return CSS.supports(r,t)?t:void 0}}var Ua={primary:"var(--ock-text)",prose:"var(--ock-text)",emphasis:"var(--ock-text)",secondary:"var(--ock-text-quiet)",tertiary:"color-mix(in srgb, var(--ock-text-quiet) 90%, var(--ock-surface))",accent:"var(--ock-accent)",success:"var(--ock-success)",danger:"var(--ock-danger)",warning:"var(--ock-warning)",caution:"var(--ock-warning)",info:"var(--ock-info)",discovery:"var(--ock-discovery)",default:"var(--ock-border)",subtle:"color-mix(in srgb, var(--ock-border) 55%, transparent)",strong:"var(--ock-text-quiet)",surface:"var(--ock-surface)","surface-secondary":"var(--ock-surface-raised)","surface-tertiary":"color-mix(in srgb, var(--ock-text) 9%, var(--ock-surface))","surface-elevated":"color-mix(in srgb, var(--ock-text) 2%, var(--ock-surface))","surface-elevated-secondary":"color-mix(in srgb, var(--ock-text) 6%, var(--ock-surface))"},Cn={gray:[265,.012],red:[25,.21],pink:[350,.21],orange:[50,.19],yellow:[85,.17],green:[150,.18],blue:[258,.2],purple:[300,.22]},Vh=["blue","orange","green","purple","red","yellow","pink"],Gh=/^([a-z]+)-(\d{1,4})$/,Qh=/^alpha-(\d{1,3})$/;function B(r){if(typeof r=="object"&&r!==null)return Zh(r);if(typeof r!="string")return;let t=r.trim();return Object.hasOwn(Ua,t)?Ua[t]:Yh(t)??Fa(t)??kt("color",t)}function Ha(r){let t=n=>typeof n=="string"&&Object.hasOwn(Cn,n)?`${n}-500`:n,e=Vh.filter(n=>!r.includes(n)),i=0;return r.map(n=>B(t(n))??Fa(`${e[i++%e.length]??"gray"}-500`))}function Zh({light:r,dark:t}){let e=o=>typeof o=="string"?B(o):void 0,[i,n]=[e(r),e(t)];return!i||!n?i??n:`var(--ock-light, ${i}) var(--ock-dark, ${n})`}function Yh(r){let t=r.match(Qh);return t?`color-mix(in srgb, var(--ock-text) ${Math.min(Number(t[1]),100)}%, transparent)`:void 0}function Fa(r){let[,t="",e]=r.match(Gh)??[];if(!Object.hasOwn(Cn,t))return;let[i,n]=Cn[t],o=Math.min(Number(e),1e3)/1e3,s=1-.72*o,a=n*Math.max(0,1-((o-.55)/.6)**2);return`oklch(${s.toFixed(3)} ${a.toFixed(3)} ${i})`}var Ka=4e3,Xh=/^-?\d+(\.\d+)?$/;function W(r){return typeof r=="object"&&r!==null?r:{}}function jt(r){let t=typeof r=="string"&&Xh.test(r)?Number(r):r;return typeof t=="number"&&Number.isFinite(t)?t:void 0}function Z(r,t=100){let e=jt(r);return e!==void 0&&e>=1?Math.min(Math.floor(e),t):void 0}function Q(r,t="width"){let e=jt(r);return e===void 0?kt(t,r):e>=0?`${Math.min(e,Ka)}px`:void 0}function at(r){let t=jt(r);return t!==void 0?t>=0?`calc(var(--ock-space) * ${Math.min(t,Ka/4)})`:void 0:kt("padding-top",r)}function le(r,t){if(typeof t=="object"&&t!==null){let{top:e,right:i,bottom:n,left:o,x:s,y:a}=t;return{[`${r}-block-start`]:at(e??a),[`${r}-block-end`]:at(n??a),[`${r}-inline-start`]:at(o??s),[`${r}-inline-end`]:at(i??s)}}return{[r]:at(t)??Jh(kt(r,t))}}function Jh(r){return r&&!/(^|[\s(])-/.test(r)?r:void 0}var Ba={none:"0","2xs":"2px",xs:"4px",sm:"6px",md:"8px",lg:"10px",xl:"12px","2xl":"16px","3xl":"20px","4xl":"24px",full:"9999px","100%":"100%"};function Va(r){return typeof r=="string"&&Object.hasOwn(Ba,r)?Ba[r]:void 0}var tm="solid dashed dotted double groove ridge inset outset".split(" "),em=32;function Oe(r){let{size:t,color:e,style:i}=typeof r=="object"?W(r):{size:r},n=jt(t);if(n===void 0||n<0||n>em)return;let o=tm.includes(String(i))?i:"solid";return`${n}px ${o} ${B(e)??"var(--ock-border)"}`}function Rn(r){let t=Oe(r);if(t)return{border:t};let{top:e,right:i,bottom:n,left:o,x:s,y:a}=W(r);return{"border-block-start":Oe(e??a),"border-block-end":Oe(n??a),"border-inline-start":Oe(o??s),"border-inline-end":Oe(i??s)}}var An={start:"flex-start",center:"center",end:"flex-end",baseline:"baseline",stretch:"stretch"},Wa={...An,between:"space-between",around:"space-around",evenly:"space-evenly"};function On(r){return typeof r=="string"&&Object.hasOwn(An,r)?An[r]:void 0}function Pe(r){let{size:t,minSize:e,maxSize:i,aspectRatio:n,flex:o}=r;return{width:Q(r.width??t),height:Q(r.height??t,"height"),"min-width":Q(r.minWidth??e,"min-width"),"min-height":Q(r.minHeight??e,"min-height"),"max-width":Q(r.maxWidth??i,"max-width"),"max-height":Q(r.maxHeight??i,"max-height"),"aspect-ratio":kt("aspect-ratio",ja(n)),flex:kt("flex",ja(o)),"border-radius":Va(r.radius),...le("margin",r.margin)}}function ja(r){return typeof r=="number"?String(r):r}function ze(r,t){let{justify:e}=r;return{...Pe(r),"flex-direction":t==="row"?"row":"column","align-items":On(r.align),"justify-content":typeof e=="string"&&Object.hasOwn(Wa,e)?Wa[e]:void 0,"flex-wrap":kt("flex-wrap",r.wrap),gap:at(r.gap),background:B(r.background),overflow:Va(r.radius)?"hidden":void 0,...le("padding",r.padding),...Rn(r.border)}}var rm=new Set(["Input","Textarea","Select","DatePicker","Checkbox","RadioGroup"]),im=6;function zn(r){let t=new Map;return r.map(e=>{let i=nm(e),n=t.get(i)??0;return t.set(i,n+1),{child:e,key:`${n}:${i}`}})}function nm(r){let t=r.key??r.id??Ga(r);return Pn(t)?`${r.type}:${t}`:String(r.type)}function Ga(r,t=0){let e=rm.has(r.type)?r.name:W(r.editable).name;if(Pn(e)||t===im)return e;for(let i of et(r)){let n=Ga(i,t+1);if(Pn(n))return n}}function Pn(r){return typeof r=="string"||typeof r=="number"}var Qa={a:()=>import("./open-chatkit/icons-a-227Q7IT2.js"),b:()=>import("./open-chatkit/icons-b-WRXBSPQP.js"),c:()=>import("./open-chatkit/icons-c-E36VQ56G.js"),d:()=>import("./open-chatkit/icons-d-YERUGCZ5.js"),e:()=>import("./open-chatkit/icons-e-5DGSGJ24.js"),f:()=>import("./open-chatkit/icons-f-MFKKZL2J.js"),g:()=>import("./open-chatkit/icons-g-WUCHKZVE.js"),h:()=>import("./open-chatkit/icons-h-4KPQVKGD.js"),i:()=>import("./open-chatkit/icons-i-NZZC5EVM.js"),j:()=>import("./open-chatkit/icons-j-SJSWOPJU.js"),k:()=>import("./open-chatkit/icons-k-TEOTRR4P.js"),l:()=>import("./open-chatkit/icons-l-LI5LYLGC.js"),m:()=>import("./open-chatkit/icons-m-HSR7T2CE.js"),n:()=>import("./open-chatkit/icons-n-T5U6SK6R.js"),o:()=>import("./open-chatkit/icons-o-URVD27TM.js"),p:()=>import("./open-chatkit/icons-p-BBISJOWB.js"),q:()=>import("./open-chatkit/icons-q-JN7CHWFG.js"),r:()=>import("./open-chatkit/icons-r-A3M2ETEC.js"),s:()=>import("./open-chatkit/icons-s-E6G5FJGA.js"),t:()=>import("./open-chatkit/icons-t-2VXWMC4U.js"),u:()=>import("./open-chatkit/icons-u-TXV2NUIH.js"),v:()=>import("./open-chatkit/icons-v-N35ZUHJD.js"),w:()=>import("./open-chatkit/icons-w-3VYBWNLR.js"),x:()=>import("./open-chatkit/icons-x-KAX6ED3U.js"),z:()=>import("./open-chatkit/icons-z-LZBL6YZ4.js")};var Za=[["path",{d:"M12 5v14"}],["path",{d:"m19 12-7 7-7-7"}]];var Ya=[["path",{d:"M20 6 9 17l-5-5"}]];var Xa=[["path",{d:"m6 9 6 6 6-6"}]];var Ja=[["path",{d:"m15 18-6-6 6-6"}]];var tc=[["path",{d:"m9 18 6-6-6-6"}]];var ec=[["circle",{cx:"12",cy:"12",r:"10"}]];var rc=[["circle",{cx:"12",cy:"12",r:"10"}],["line",{x1:"12",x2:"12",y1:"8",y2:"12"}],["line",{x1:"12",x2:"12.01",y1:"16",y2:"16"}]];var ic=[["circle",{cx:"12",cy:"12",r:"10"}],["path",{d:"M9.09 9a3 3 0 0 1 5.83 1c0 2-3 3-3 3"}],["path",{d:"M12 17h.01"}]];var nc=[["rect",{width:"14",height:"14",x:"8",y:"8",rx:"2",ry:"2"}],["path",{d:"M4 16c-1.1 0-2-.9-2-2V4c0-1.1.9-2 2-2h10c1.1 0 2 .9 2 2"}]];var oc=[["circle",{cx:"12",cy:"12",r:"1"}]];var sc=[["path",{d:"M12 15V3"}],["path",{d:"M21 15v4a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2v-4"}],["path",{d:"m7 10 5 5 5-5"}]];var ac=[["circle",{cx:"12",cy:"12",r:"1"}],["circle",{cx:"12",cy:"5",r:"1"}],["circle",{cx:"12",cy:"19",r:"1"}]];var cc=[["path",{d:"M6 22a2 2 0 0 1-2-2V4a2 2 0 0 1 2-2h8a2.4 2.4 0 0 1 1.704.706l3.588 3.588A2.4 2.4 0 0 1 20 8v12a2 2 0 0 1-2 2z"}],["path",{d:"M14 2v5a1 1 0 0 0 1 1h5"}],["path",{d:"M10 9H8"}],["path",{d:"M16 13H8"}],["path",{d:"M16 17H8"}]];var lc=[["circle",{cx:"12",cy:"12",r:"10"}],["path",{d:"M12 2a14.5 14.5 0 0 0 0 20 14.5 14.5 0 0 0 0-20"}],["path",{d:"M2 12h20"}]];var dc=[["path",{d:"M3 12a9 9 0 1 0 9-9 9.75 9.75 0 0 0-6.74 2.74L3 8"}],["path",{d:"M3 3v5h5"}],["path",{d:"M12 7v5l4 2"}]];var pc=[["circle",{cx:"12",cy:"12",r:"10"}],["path",{d:"M12 16v-4"}],["path",{d:"M12 8h.01"}]];var uc=[["path",{d:"M15 14c.2-1 .7-1.7 1.5-2.5 1-.9 1.5-2.2 1.5-3.5A6 6 0 0 0 6 8c0 1 .2 2.2 1.5 3.5.7.7 1.3 1.5 1.5 2.5"}],["path",{d:"M9 18h6"}],["path",{d:"M10 22h4"}]];var hc=[["path",{d:"M12 19v3"}],["path",{d:"M19 10v2a7 7 0 0 1-14 0v-2"}],["rect",{x:"9",y:"2",width:"6",height:"13",rx:"3"}]];var mc=[["path",{d:"m16 6-8.414 8.586a2 2 0 0 0 2.829 2.829l8.414-8.586a4 4 0 1 0-5.657-5.657l-8.379 8.551a6 6 0 1 0 8.485 8.485l8.379-8.551"}]];var fc=[["path",{d:"M21.174 6.812a1 1 0 0 0-3.986-3.987L3.842 16.174a2 2 0 0 0-.5.83l-1.321 4.352a.5.5 0 0 0 .623.622l4.353-1.32a2 2 0 0 0 .83-.497z"}],["path",{d:"m15 5 4 4"}]];var gc=[["path",{d:"M5 12h14"}],["path",{d:"M12 5v14"}]];var kc=[["path",{d:"M3 12a9 9 0 1 0 9-9 9.75 9.75 0 0 0-6.74 2.74L3 8"}],["path",{d:"M3 3v5h5"}]];var bc=[["path",{d:"m21 21-4.34-4.34"}],["circle",{cx:"11",cy:"11",r:"8"}]];var vc=[["path",{d:"M14.536 21.686a.5.5 0 0 0 .937-.024l6.5-19a.496.496 0 0 0-.635-.635l-19 6.5a.5.5 0 0 0-.024.937l7.93 3.18a2 2 0 0 1 1.112 1.11z"}],["path",{d:"m21.854 2.147-10.94 10.939"}]];var wc=[["rect",{width:"18",height:"18",x:"3",y:"3",rx:"2"}]];var yc=[["path",{d:"M12 3H5a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h14a2 2 0 0 0 2-2v-7"}],["path",{d:"M18.375 2.625a1 1 0 0 1 3 3l-9.013 9.014a2 2 0 0 1-.853.505l-2.873.84a.5.5 0 0 1-.62-.62l.84-2.873a2 2 0 0 1 .506-.852z"}]];var xc=[["path",{d:"M9 18.12 10 14H4.17a2 2 0 0 1-1.92-2.56l2.33-8A2 2 0 0 1 6.5 2H20a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-2.76a2 2 0 0 0-1.79 1.11L12 22a3.13 3.13 0 0 1-3-3.88Z"}],["path",{d:"M17 14V2"}]];var $c=[["path",{d:"M15 5.88 14 10h5.83a2 2 0 0 1 1.92 2.56l-2.33 8A2 2 0 0 1 17.5 22H4a2 2 0 0 1-2-2v-8a2 2 0 0 1 2-2h2.76a2 2 0 0 0 1.79-1.11L12 2a3.13 3.13 0 0 1 3 3.88Z"}],["path",{d:"M7 10v12"}]];var Tc=[["path",{d:"M10 11v6"}],["path",{d:"M14 11v6"}],["path",{d:"M19 6v14a2 2 0 0 1-2 2H7a2 2 0 0 1-2-2V6"}],["path",{d:"M3 6h18"}],["path",{d:"M8 6V4a2 2 0 0 1 2-2h4a2 2 0 0 1 2 2v2"}]];var Ec=[["path",{d:"m21.73 18-8-14a2 2 0 0 0-3.48 0l-8 14A2 2 0 0 0 4 21h16a2 2 0 0 0 1.73-3"}],["path",{d:"M12 9v4"}],["path",{d:"M12 17h.01"}]];var Sc=[["path",{d:"M12 20h.01"}],["path",{d:"M8.5 16.429a5 5 0 0 1 7 0"}],["path",{d:"M5 12.859a10 10 0 0 1 5.17-2.69"}],["path",{d:"M19 12.859a10 10 0 0 0-2.007-1.523"}],["path",{d:"M2 8.82a15 15 0 0 1 4.177-2.643"}],["path",{d:"M22 8.82a15 15 0 0 0-11.288-3.764"}],["path",{d:"m2 2 20 20"}]];var Cc=[["path",{d:"M14.7 6.3a1 1 0 0 0 0 1.4l1.6 1.6a1 1 0 0 0 1.4 0l3.106-3.105c.32-.322.863-.22.983.218a6 6 0 0 1-8.259 7.057l-7.91 7.91a1 1 0 0 1-2.999-3l7.91-7.91a6 6 0 0 1 7.057-8.259c.438.12.54.662.219.984z"}]];var Ac=[["path",{d:"M18 6 6 18"}],["path",{d:"m6 6 12 12"}]];var Mn={"arrow-down":Za,attach:mc,check:Ya,"chevron-down":Xa,"chevron-left":Ja,"chevron-right":tc,"circle-question":ic,close:Ac,compose:yc,copy:nc,danger:rc,document:cc,dot:oc,"dots-vertical":ac,download:sc,"empty-circle":ec,globe:lc,history:dc,image:os,info:pc,lightbulb:uc,mic:hc,offline:Sc,plus:gc,reload:kc,search:bc,send:vc,stop:wc,"thumbs-down":xc,"thumbs-up":$c,tool:Cc,trash:Tc,warning:Ec,write:fc};var Rc="lucide:",Pc=new Map(Object.entries(Mn)),Oc=Mn.dot;function In(r){return Pc.get(r)}async function zc(r){try{let t=await om(r)??Oc;return Pc.set(r,t),t}catch{return Oc}}async function om(r){if(r.startsWith(Rc))return Mc(r.slice(Rc.length).toLowerCase());if(r.startsWith("vendor:"))return;let t=Ln((await import("./open-chatkit/named-LI3IU3VD.js")).default,r);return typeof t=="string"?In(t):t}async function Mc(r){let t=Ln(Qa,r.slice(0,1)),e=t&&Ln((await t()).default,r);return typeof e=="string"?Mc(e):e}function Ln(r,t){return Object.hasOwn(r,t)?r[t]:void 0}var sm="http://www.w3.org/2000/svg",Dn=class extends $t{render(t){if(t===this.name)return U;this.name=t;let e=In(t);return e||this.later(t),Lc(e??[])}async later(t){let e=await zc(t);this.name===t&&this.setValue(Lc(e))}},am=H(Dn);function v(r){return r?am(r):null}function Lc(r){let t=Ic("svg",{viewBox:"0 0 24 24",fill:"none",stroke:"currentColor","stroke-width":"2","stroke-linecap":"round","stroke-linejoin":"round","aria-hidden":"true",class:"ock-icon"});for(let[e,i]of r)t.append(Ic(e,i));return t}function Ic(r,t){let e=document.createElementNS(sm,r);for(let[i,n]of Object.entries(t))e.setAttribute(i,String(n));return e}var Ct=["md","3xs","2xs","xs","sm","lg","xl","2xl","3xl"],cm={sm:"14px",md:"16px",lg:"20px",xl:"24px","2xl":"32px"},lm=["secondary","primary","info","discovery","success","caution","warning","danger"],dm=(r,t,e)=>{let i=st(r.onClickAction),n=r.submit===!0;return _n({node:r,context:t,path:e,submits:n,click:({currentTarget:s})=>{let a=s;i&&!(n&&a.form)&&t.act(i,a,e)}})};function _n({node:r,context:t,path:e,submits:i,click:n}){let o=r.style==="primary",[s,a,c]=[r.label,r.iconStart,r.iconEnd].map(w),d=t.busy.has(e);return l`<button type=${i?"submit":"button"} class="ock-w-button"
		part="widget-button"
		data-path=${e}
		data-color=${r.color?C(r.color,...lm):o?"primary":"secondary"}
		data-variant=${C(r.variant,o?"solid":"outline","solid","soft","outline","ghost")}
		data-size=${C(r.size,...Ct)} ?data-pill=${r.pill!==!1}
		?data-uniform=${r.uniform===!0} ?data-block=${r.block===!0}
		?disabled=${r.disabled===!0} aria-busy=${d?"true":u}
		aria-label=${s?u:(a||c||"").replace(/^\w+:/,"").replaceAll("-"," ")}
		@click=${n}>
		${d?l`<span class="ock-w-spinner"></span>`:Dc(a,r)}
		${s?l`<span class="ock-w-name" dir="auto">${s}</span>`:u}
		${Dc(c,r)}
	</button>`}function Dc(r,{iconSize:t}){if(!r)return u;let e=cm[C(t,"md","sm","lg","xl","2xl")];return l`<span class="ock-w-icon" ${T({"font-size":e})}>${v(r)}</span>`}var _c={Button:dm};var pm=2e3,um=20;function qn(r){let t=Nc(r.data).slice(0,pm),e=Nc(r.series).slice(0,um),i=typeof r.xAxis=="object"?W(r.xAxis):{dataKey:r.xAxis},n=W(i.labels),o=t.map(a=>{let c=w(Nn(a,w(i.dataKey)));return w(Nn(n,c))||c}),s=Ha(e.map(a=>a.color));return{labels:o,series:e.map((a,c)=>hm(a,c,s[c],t)),hidesX:i.hide===!0,showsY:r.showYAxis===!0,showsLegend:typeof r.showLegend=="boolean"?r.showLegend:e.length>1,showsTooltip:r.showTooltip!==!1,barGap:qc(r.barGap),categoryGap:qc(r.barCategoryGap)}}function hm(r,t,e,i){let n=w(r.dataKey);return{type:C(r.type,"bar","area","line"),label:w(r.label)||n,color:e,curve:w(r.curveType),stack:w(r.stack)||`#${t}`,values:i.map(o=>jt(Nn(o,n))??Number.NaN)}}function Nc(r){return Array.isArray(r)?r.filter(t=>typeof t=="object"&&t!==null):[]}function Nn(r,t){return Object.hasOwn(r,t)?r[t]:void 0}function qc(r){let t=jt(r);return t!==void 0&&t>=0?t:void 0}var mm=220,fm=300,gm=(r,{chat:t})=>l`<ock-chart class="ock-w-chart" .chat=${t} .node=${r} ${T(km(r))}></ock-chart>`;function km(r){let t=Pe(r);return t.height||t["aspect-ratio"]||t["min-height"]?t:{...t,height:`${mm}px`}}var Un=class extends b{constructor(){super(...arguments);this.data=qn({});this.observer=new ResizeObserver(([e])=>{e&&(this.width=Math.round(e.contentRect.width),this.height=Math.round(e.contentRect.height))});this.pointed=({clientX:e,currentTarget:i})=>{let{start:n,wide:o}=this.rows(),{left:s}=i.getBoundingClientRect(),a=(e-s-n)/o;this.show(Math.floor((this.isRtl?1-a:a)*this.data.labels.length))};this.left=()=>{this.active=void 0};this.pressed=e=>{let i=this.isRtl?-1:1,n=this.data.labels.length-1,o={ArrowLeft:(this.active??0)-i,ArrowRight:(this.active??-1)+i,Home:0,End:n};e.key==="Escape"&&this.left(),e.key in o&&(e.preventDefault(),this.show(o[e.key]))}}static{this.properties={...b.properties,node:{attribute:!1},plot:{state:!0},width:{state:!0},height:{state:!0},active:{state:!0}}}connectedCallback(){super.connectedCallback(),import("./open-chatkit/chart-drawing-6FE6QD5J.js").then(({plot:e})=>this.plot=e).catch(()=>{})}disconnectedCallback(){super.disconnectedCallback(),this.observer.disconnect()}willUpdate(e){super.willUpdate(e),e.has("node")&&(this.data=qn(this.node))}updated(){let e=this.querySelector(".ock-w-plot");e&&this.observer.observe(e)}render(){let{data:e}=this;return l`${e.showsLegend?this.legend():u}
			<div class="ock-w-plot" tabindex=${e.showsTooltip&&e.labels.length?0:u} role="img"
				aria-label=${this.summary()} @pointermove=${this.pointed} @pointerdown=${this.pointed}
				@pointerleave=${this.left} @blur=${this.left} @keydown=${this.pressed}>
				${this.picture()}${this.tooltip()}
			</div>
			${this.table()}`}picture(){let{plot:e,width:i,height:n}=this;if(!e||!i||!n)return u;let{words:o}=this.chat;return e(this.data,{width:i,height:n,active:this.active,words:o})}legend(){return l`<ul class="ock-w-legend" role="list" aria-hidden="true">
			${this.data.series.map(({label:e,color:i,type:n})=>l`<li dir="auto">
					<span class="ock-w-swatch" data-type=${n} ${T({background:i})}></span>${e}</li>`)}
		</ul>`}tooltip(){let{active:e,data:i}=this;if(e===void 0||!i.showsTooltip)return u;let{start:n,wide:o}=this.rows(),s=o/i.labels.length,a=(e+.5)/i.labels.length,c=this.isRtl?1-a:a,d=n+c*o,p=c>.5,h=p?this.width-d+s/2+4:d+s/2+4;return l`<div class="ock-w-tooltip" ${T({[p?"right":"left"]:`${h}px`})}>
			<strong dir="auto">${i.labels[e]}</strong>
			${i.series.map(({label:m,color:g,type:y,values:$})=>l`<span dir="auto">
					<span class="ock-w-swatch" data-type=${y} ${T({background:g})}></span>
					${m}: ${this.number($[e])}</span>`)}
		</div>`}summary(){let{labels:e,series:i}=this.data,n=i.map(({label:a})=>a).join(", "),[o="",s=""]=[e[0],e.at(-1)];return this.chat.words.text("widget.chart",{names:n,from:o,to:s})}table(){let{labels:e,series:i}=this.data;return e.length?l`<table class="ock-hidden">
			<thead><tr><td></td>${i.map(({label:n})=>l`<th scope="col">${n}</th>`)}</tr></thead>
			<tbody>
				${e.slice(0,fm).map((n,o)=>l`<tr>
						<th scope="row">${n}</th>
						${i.map(({values:s})=>l`<td>${this.number(s[o])}</td>`)}
					</tr>`)}
			</tbody>
		</table>`:u}number(e){return e===void 0||Number.isNaN(e)?"–":this.chat.words.number(e)}rows(){let{start:e=0,wide:i=this.width}=this.querySelector(".ock-w-svg")?.dataset??{};return{start:Number(e),wide:Number(i)||1}}show(e){let{labels:i}=this.data;this.active=i.length?Math.max(0,Math.min(e,i.length-1)):void 0}get isRtl(){return this.chat.words.direction==="rtl"}};x("ock-chart",Un);var Uc={Chart:gm};var bm={xs:"12px",sm:"14px",md:"16px",lg:"20px",xl:"24px","2xl":"32px","3xl":"40px"},vm=/^(top|bottom|center)$|^((top|bottom) )?(left|right)$/,wm=r=>l`<span class="ock-w-badge" dir="auto"
	data-color=${C(r.color,"secondary","success","danger","warning","info","discovery")}
	data-variant=${C(r.variant,"soft","solid","outline")}
	data-size=${C(r.size,"sm","md","lg")}
	?data-pill=${r.pill!==!1}>${w(r.label)}</span>`,ym=r=>{let t=bm[C(r.size,"md","xs","sm","lg","xl","2xl","3xl")],e={color:B(r.color),"font-size":t};return l`<span class="ock-w-icon" ${T(e)}>${v(w(r.name))}</span>`},xm=(r,{chat:t})=>{let e=w(r.alt),i=Hn(t,r.src);if(!i)return $m(r.src,e);let n=w(r.position),o={...Pe(r),"object-fit":C(r.fit,"cover","contain","fill","scale-down","none"),"object-position":vm.test(n)?n:void 0,background:B(r.background)};return l`<img class="ock-w-image" part="widget-image" src=${i} alt=${e} loading="lazy"
		decoding="async" referrerpolicy="no-referrer" ?data-frame=${r.frame===!0}
		?data-flush=${r.flush===!0} ${T(o)} />`};function Hn(r,t){let{allowedImageDomains:e=[]}=r.options,{allowed_image_domains:i}=r.conversation.thread??{};return ne(t,[...e,...i??[]])}function $m(r,t){let e=ot(r);return e?l`<a class="ock-w-link" dir="auto" href=${e} target="_blank"
		rel="noopener noreferrer">${t||e}</a>`:l`<span class="ock-w-caption" dir="auto">${t}</span>`}var Hc={Badge:wm,Icon:ym,Image:xm};var Fc=/^(\d{4})-(\d{2})-(\d{2})/;function Pr(r){let t=typeof r=="string"?r.match(Fc):null;if(!t)return;let[e]=t;return Ir(de(e))===e?e:void 0}function zr(){let r=new Date;return Ir(Date.UTC(r.getFullYear(),r.getMonth(),r.getDate()))}function ct(r,t){let e=new Date(de(r));return e.setUTCDate(e.getUTCDate()+t),Ir(e.getTime())}function Mr(r,t){let e=new Date(de(r)),i=e.getUTCDate();e.setUTCDate(1),e.setUTCMonth(e.getUTCMonth()+t);let n=new Date(Date.UTC(e.getUTCFullYear(),e.getUTCMonth()+1,0)).getUTCDate();return e.setUTCDate(Math.min(i,n)),Ir(e.getTime())}function Fn(r,t){let e=`${r.slice(0,8)}01`,i=(Bn(e)-t+7)%7,n=ct(e,-i),o=r.slice(0,7),s=[];for(let a=n;s.length===0||a.slice(0,7)===o;a=ct(a,7))s.push(Array.from({length:7},(c,d)=>ct(a,d)));return s}function Bn(r){return new Date(de(r)).getUTCDay()}function Lr(r){let t=new Intl.Locale(r);return((t.getWeekInfo?.()??t.weekInfo)?.firstDay??1)%7}function de(r){let[,t,e,i]=r.match(Fc)??[];return Date.UTC(Number(t),Number(e)-1,Number(i))}function Ir(r){let t=new Date(r);return Number.isNaN(r)?"":t.toISOString().slice(0,10)}function jc(r,t,e,i){let n=t.getBoundingClientRect(),{offsetWidth:o,offsetHeight:s}=r,a=e==="top"||e==="bottom",c=getComputedStyle(t).direction==="rtl",d=a&&c?Wn(n.right,o):n.left,p=a?{start:d,center:n.left+(n.width-o)/2,end:c?n.left:Wn(n.right,o)}:{start:n.top,center:n.top+(n.height-s)/2,end:Wn(n.bottom,s)},h=a?p[i]:Bc(n.left,n.right,o,innerWidth,e==="left"),m=a?Bc(n.top,n.bottom,s,innerHeight,e==="top"):p[i];r.style.setProperty("left",`${Wc(h,o,innerWidth)}px`),r.style.setProperty("top",`${Wc(m,s,innerHeight)}px`)}function Wn(r,t){return r-t}function Bc(r,t,e,i,n){let[o,s]=[r-4-e,t+4],a=o>=0,c=s+e<=i;return n?a||!c?o:s:c||!a?s:o}function Wc(r,t,e){return Math.max(4,Math.min(r,e-t-4))}var At=class extends b{constructor(){super(...arguments);this.follow=()=>this.place();this.opens=e=>{e.key!=="ArrowDown"&&e.key!=="ArrowUp"||(e.preventDefault(),this.isOpen||this.popup?.showPopover())};this.toggled=e=>{this.isOpen=e.newState==="open",this.follows(this.isOpen),this.isOpen?this.updateComplete.then(()=>this.opened()):this.focusAgain()}}static{this.properties={...b.properties,node:{attribute:!1},fieldId:{attribute:!1},value:{state:!0},isOpen:{state:!0}}}topics(){return["options"]}willUpdate(e){super.willUpdate(e);let i=this.valueIn(this.node);i!==this.given&&(this.value=this.given=i)}updated(){let e=this.closest(".ock-widget");e&&Rr(e)}disconnectedCallback(){super.disconnectedCallback(),this.follows(!1),this.isOpen=!1}render(){let{node:e,value:i="",fieldId:n}=this,o=`${n}-popup`,s=i?this.shown(i):w(e.placeholder),a=e.disabled===!0;return l`<input type="hidden" name=${w(e.name)} .value=${i} ?disabled=${a} />
			<button type="button" class="ock-w-field ock-w-pick" id=${n} role="combobox"
				aria-haspopup=${this.popupRole} aria-expanded=${this.isOpen?"true":"false"} aria-controls=${o}
				data-label=${gt(e)} ?disabled=${a}
				data-variant=${C(e.variant,"outline","soft","solid","ghost")}
				data-size=${C(e.size,...Ct)} ?data-pill=${e.pill===!0}
				?data-empty=${!i} popovertarget=${o} @keydown=${this.opens}>
				<span class="ock-w-name" dir="auto">${s||"–"}</span>${v(this.popupRole==="dialog"?"calendar":"chevron-down")}
			</button>
			${i&&e.clearable===!0&&!a?l`<button type="button" class="ock-w-clear" aria-label=${this.chat.words.text("widget.clear")}
							@click=${()=>this.clear()}>${v("close")}</button>`:u}
			<div class="ock-w-popup" id=${o} popover="auto" @toggle=${this.toggled}>
				${this.isOpen?this.renderPopup():u}
			</div>`}choose(e){this.close(),this.control?.focus(),e!==this.value&&(this.value=e,this.updateComplete.then(()=>this.dispatchEvent(new Event("change",{bubbles:!0}))))}close(){this.popup?.matches(":popover-open")&&this.popup.hidePopover()}get popup(){return this.querySelector("[popover]")}get control(){return this.querySelector("[role=combobox]")}clear(){this.choose("")}focusAgain(){let{activeElement:e}=this.getRootNode();(!e||this.contains(e))&&this.control?.focus()}opened(){this.place(),this.focusPopup()}follows(e){for(let i of[this.getRootNode(),window])i.removeEventListener("scroll",this.follow,!0),e&&i.addEventListener("scroll",this.follow,{capture:!0,passive:!0})}place(){let{popup:e,control:i,node:n}=this;if(!e||!i)return;e.style.setProperty("min-width",`${i.clientWidth}px`);let o=C(n.side,"bottom","top","left","right");jc(e,i,o,C(n.align,"start","center","end"))}};var jn=class extends At{constructor(){super();this.popupRole="dialog";this.pressed=e=>{let i=this.dayAfter(e);i&&(e.preventDefault(),e.stopPropagation(),this.moveTo(i))};this.cursor=zr()}static{this.properties={...At.properties,cursor:{state:!0}}}valueIn(e){return Pr(e.defaultValue)??""}shown(e){return this.written(e,{dateStyle:"medium"})}renderPopup(){let{words:e}=this.chat;return l`<div class="ock-w-calendar" role="dialog" aria-label=${w(this.node.placeholder)||e.text("widget.day")}>
			<div class="ock-w-month">
				${this.turner(-12,"widget.year.before")}${this.turner(-1,"widget.month.before")}
				<span aria-live="polite">${this.written(this.cursor,{month:"long",year:"numeric"})}</span>
				${this.turner(1,"widget.month.after")}${this.turner(12,"widget.year.after")}
			</div>
			<table role="grid" @keydown=${this.pressed}>
				<thead><tr>${this.weekdays()}</tr></thead>
				<tbody>
					${Fn(this.cursor,Lr(e.locale)).map(i=>l`<tr>${i.map(n=>this.day(n))}</tr>`)}
				</tbody>
			</table>
		</div>`}focusPopup(){this.moveTo(this.value||zr())}turner(e,i){let n=e<0==(this.chat.words.direction==="ltr")?"left":"right",o=Math.abs(e)>1?`double-chevron-${n}`:`chevron-${n}`;return l`<button type="button" class="ock-button" aria-label=${this.chat.words.text(i)}
			@click=${()=>this.cursor=this.limited(Mr(this.cursor,e))}>${v(o)}</button>`}weekdays(){let[e=[]]=Fn(this.cursor,Lr(this.chat.words.locale));return e.map(i=>l`<th scope="col" abbr=${this.written(i,{weekday:"long"})}>
				${this.written(i,{weekday:"narrow"})}</th>`)}day(e){let i=e.slice(0,7)!==this.cursor.slice(0,7);return l`<td role="gridcell" aria-selected=${e===this.value?"true":"false"}>
			<button type="button" data-day=${e} tabindex=${e===this.cursor?0:-1}
				aria-label=${this.written(e,{dateStyle:"full"})} ?data-other=${i}
				aria-current=${e===zr()?"date":u} ?disabled=${e!==this.limited(e)}
				@click=${()=>this.choose(e)}>${Number(e.slice(8))}</button>
		</td>`}dayAfter({key:e,shiftKey:i}){let{cursor:n}=this,o=getComputedStyle(this).direction==="rtl"?-1:1,s=(Bn(n)-Lr(this.chat.words.locale)+7)%7;switch(e){case"ArrowLeft":return ct(n,-o);case"ArrowRight":return ct(n,o);case"ArrowUp":return ct(n,-7);case"ArrowDown":return ct(n,7);case"Home":return ct(n,-s);case"End":return ct(n,6-s);case"PageUp":return Mr(n,i?-12:-1);case"PageDown":return Mr(n,i?12:1);default:return}}moveTo(e){this.cursor=this.limited(e),this.updateComplete.then(()=>this.querySelector(`[data-day="${this.cursor}"]`)?.focus())}limited(e){let[i,n]=[Pr(this.node.min),Pr(this.node.max)];return n&&e>n?n:i&&e<i?i:e}written(e,i){return this.chat.words.date(new Date(de(e)),{...i,timeZone:"UTC"})}};x("ock-date",jn);var Tm=15;function lt({options:r}){return Array.isArray(r)?r.map(W).map(t=>({value:w(t.value),label:w(t.label)||w(t.value),description:w(t.description),disabled:t.disabled===!0})):[]}function Kc(r){if(!("showPopover"in HTMLElement.prototype))return!1;let t=lt(r);return Kn(r)||t.some(({description:e})=>e)}function Kn(r){return r.searchable===!0||r.searchable!==!1&&lt(r).length>Tm}var Vn=class extends At{constructor(){super();this.popupRole="listbox";this.searched=e=>{e.stopPropagation(),this.search=e.target.value,this.active=this.found().find(({disabled:i})=>!i)?.value};this.pressed=e=>{let n={ArrowDown:1,ArrowUp:-1}[e.key];if(n)this.move(n);else if(e.key==="Enter"&&this.active!==void 0)this.choose(this.active);else return;e.preventDefault(),e.stopPropagation()};this.search=""}static{this.properties={...At.properties,search:{state:!0},active:{state:!0}}}valueIn(e){let i=w(e.defaultValue);return lt(e).some(n=>n.value===i)?i:""}shown(e){return lt(this.node).find(i=>i.value===e)?.label??e}renderPopup(){let e=this.found(),i=`${this.fieldId}-list`,n=e.findIndex(({value:a})=>a===this.active),o=n<0?u:`${i}-${n}`,s=this.chat.words.text("widget.search");return l`<div class="ock-w-options" @keydown=${this.pressed}>
			${Kn(this.node)?l`<input class="ock-w-search" type="text" role="combobox" aria-expanded="true" autocomplete="off"
							aria-autocomplete="list" aria-controls=${i} aria-activedescendant=${o}
							aria-label=${s} placeholder=${s} .value=${this.search} @input=${this.searched} />`:u}
			<ul role="listbox" id=${i} tabindex="0" aria-label=${w(this.node.placeholder)||s}
				aria-activedescendant=${o}>
				${e.map((a,c)=>this.option(a,`${i}-${c}`))}
			</ul>
			<p class="ock-w-caption" role="status">${e.length?"":this.chat.words.text("widget.nothing")}</p>
		</div>`}focusPopup(){this.search="",this.active=this.value||this.found().find(({disabled:e})=>!e)?.value,(this.querySelector(".ock-w-search")??this.querySelector("[role=listbox]"))?.focus(),this.show()}option({value:e,label:i,description:n,disabled:o},s){return l`<li role="option" id=${s} dir="auto" aria-selected=${e===this.value?"true":"false"}
			aria-disabled=${o?"true":u} ?data-active=${e===this.active}
			@click=${()=>o||this.choose(e)}>
			<span>${i}</span>${n?l`<span class="ock-w-caption">${n}</span>`:u}
		</li>`}found(){let e=this.search.trim().toLocaleLowerCase(this.chat.words.locale),i=n=>n.toLocaleLowerCase(this.chat.words.locale).includes(e);return lt(this.node).filter(({label:n,description:o})=>i(n)||i(o))}move(e){let i=this.found().filter(({disabled:o})=>!o).map(({value:o})=>o);if(!i.length)return;let n=i.indexOf(this.active??"");this.active=i[(n+e+i.length)%i.length],this.show()}show(){this.updateComplete.then(()=>this.querySelector("[data-active]")?.scrollIntoView({block:"nearest"}))}};x("ock-select",Vn);var Vc={"2xs":"4px",xs:"6px",sm:"8px",md:"12px",lg:"16px",xl:"20px"},Em=3,Sm=10,Cm=/^\d{4}-\d{2}-\d{2}/,Am=(r,t,e)=>l`<input class="ock-w-field" id=${t.id(e)}
		name=${w(r.name)} dir="auto" step="any"
		type=${C(r.inputType,"text","number","email","password","tel","url")}
		value=${w(r.defaultValue)} placeholder=${w(r.placeholder)}
		pattern=${w(r.pattern)||u} ?required=${r.required===!0}
		?disabled=${r.disabled===!0} autocomplete=${Gc(r)}
		data-variant=${C(r.variant,"outline","soft")} data-size=${C(r.size,...Ct)}
		?data-pill=${r.pill===!0} data-label=${gt(r)}
		data-autofocus=${Dr(r.autoFocus)} data-autoselect=${Dr(r.autoSelect)}
		aria-invalid=${Ft(t,e)} ${T({"padding-inline":Qc(r)})} />
	${Bt(t,e)}`,Rm=(r,t,e)=>{let i=Z(r.rows)??Em,n=Z(r.maxRows)??Math.max(i,Sm),o={"padding-inline":Qc(r),"max-block-size":`calc(${n*1.5}em + 14px)`};return l`<textarea class="ock-w-field" id=${t.id(e)} name=${w(r.name)} dir="auto"
		rows=${i} placeholder=${w(r.placeholder)} .defaultValue=${w(r.defaultValue)}
		data-pattern=${w(r.pattern)||u} ?required=${r.required===!0}
		?disabled=${r.disabled===!0} autocomplete=${Gc(r)}
		data-variant=${C(r.variant,"outline","soft")} data-size=${C(r.size,...Ct)}
		?data-grows=${r.autoResize===!0} data-label=${gt(r)}
		data-autofocus=${Dr(r.autoFocus)} data-autoselect=${Dr(r.autoSelect)}
		aria-invalid=${Ft(t,e)} ${T(o)}></textarea>
		${Bt(t,e)}`};function Dr(r){return r===!0?"":u}function Gc(r){return r.allowAutofillExtensions===!0?u:"off"}function Qc({gutterSize:r}){return Object.hasOwn(Vc,String(r))?Vc[String(r)]:void 0}var Om=(r,t,e)=>Kc(r)?zm(r,t,e):Pm(r,t,e),Pm=(r,t,e)=>{let i=w(r.defaultValue),n=r.clearable===!0,o=n||!lt(r).some(({value:s})=>s===i);return l`<select class="ock-w-field" id=${t.id(e)} name=${w(r.name)} dir="auto"
		?disabled=${r.disabled===!0} @change=${Wt(r,t,e)}
		data-variant=${C(r.variant,"outline","soft","solid","ghost")}
		data-size=${C(r.size,...Ct)} ?data-pill=${r.pill===!0}
		?data-block=${r.block===!0} data-label=${gt(r)} aria-busy=${Me(t,e)}>
		${o?l`<option value="" ?selected=${!i} ?hidden=${!n}>${w(r.placeholder)||"–"}</option>`:u}
		${lt(r).map(({value:s,label:a,disabled:c})=>l`<option value=${s} ?selected=${s===i} ?disabled=${c}>${a}</option>`)}
	</select>`};function Me({busy:r},t){return r.has(t)?"true":u}var zm=(r,t,e)=>l`<ock-select class="ock-w-picker"
	.chat=${t.chat} .node=${r} .fieldId=${t.id(e)}
	?data-block=${r.block===!0} aria-busy=${Me(t,e)}
	@change=${Wt(r,t,e)}></ock-select>`,Mm=(r,t,e)=>{if("showPopover"in HTMLElement.prototype)return l`<ock-date class="ock-w-picker" .chat=${t.chat} .node=${r}
			.fieldId=${t.id(e)} ?data-block=${r.block===!0}
			aria-busy=${Me(t,e)} @change=${Wt(r,t,e)}></ock-date>`;let i=n=>w(n).match(Cm)?.[0]??u;return l`<input type="date" class="ock-w-field" id=${t.id(e)} name=${w(r.name)}
		value=${i(r.defaultValue)} min=${i(r.min)} max=${i(r.max)}
		?disabled=${r.disabled===!0} data-size=${C(r.size,...Ct)}
		?data-pill=${r.pill===!0} ?data-block=${r.block===!0}
		data-label=${gt(r)} @change=${Wt(r,t,e)} />`},Lm=(r,t,e)=>l`<label class="ock-w-choice"
		aria-busy=${Me(t,e)}>
		<input type="checkbox" id=${t.id(e)} name=${w(r.name)}
			?checked=${r.defaultChecked===!0} ?disabled=${r.disabled===!0}
			?required=${r.required===!0} data-label=${r.label?u:gt(r)}
			aria-invalid=${Ft(t,e)} @change=${Wt(r,t,e)} />
		${r.label?l`<span dir="auto">${w(r.label)}</span>`:u}
	</label>
	${Bt(t,e)}`,Im=(r,t,e)=>{let i=w(r.defaultValue),n=t.id(e);return l`<div class="ock-w-radios" role="radiogroup" id=${n} data-label=${w(r.ariaLabel)||gt(r)}
		data-direction=${C(r.direction,"col","row")} aria-invalid=${Ft(t,e)}
		aria-busy=${Me(t,e)}>
		${lt(r).map(({value:o,label:s,disabled:a})=>l`<label class="ock-w-choice">
				<input type="radio" name=${n} data-name=${w(r.name)} value=${o}
					?checked=${o===i} ?disabled=${r.disabled===!0||a}
					?required=${r.required===!0} @change=${Wt(r,t,e)} />
				<span dir="auto">${s}</span>
			</label>`)}
	</div>
	${Bt(t,e)}`},Zc={Input:Am,Textarea:Rm,Select:Om,DatePicker:Mm,Checkbox:Lm,RadioGroup:Im};var Gn=r=>(t,e,i)=>{let n=r??C(t.direction,"col","row");return l`<div class="ock-w-box" data-type=${r??"box"} data-way=${n}
			${T(ze(t,n))}>${e.children(t,i)}</div>`},Dm=(r,t,e)=>{let i=st(r.onSubmitAction),n=C(r.direction,"col","row");return l`<form class="ock-w-box" data-type="form" data-way=${n} novalidate
		@submit=${Qn((o,s)=>t.submit(i,o,s??e))}
		aria-busy=${t.busy.has(e)?"true":u}
		${T(ze(r,n))}>${t.children(r,e)}</form>`};function Qn(r){return t=>{t.preventDefault(),t.stopPropagation(),r(t.currentTarget,t.submitter?.dataset.path)}}var _m=r=>l`<div class="ock-w-spacer" ${T({"flex-basis":Q(r.minSize)})}></div>`,Nm=r=>{let t={"--w-line":Q(r.size),"--w-around":at(r.spacing),"--w-color":B(r.color)};return l`<hr class="ock-w-divider" ?data-flush=${r.flush===!0} ${T(t)} />`},Yc={Box:Gn(),Row:Gn("row"),Col:Gn("col"),Form:Dm,Spacer:_m,Divider:Nm};var qm=["var(--ock-surface)","color-mix(in srgb, var(--ock-accent) 9%, var(--ock-bubble))"];function Xc(r){let t=Xn("var(--ock-accent)",r);return Yn(t,0)>Yn(t,1)?"#000":"#fff"}function Jc(r){let t=qm.map(e=>Xn(e,r));for(let e=100;e>0;e-=5){let i=`color-mix(in srgb, var(--ock-accent) ${e}%, var(--ock-text))`,n=Xn(i,r);if(t.every(o=>Yn(n,o)>=4.6))return i}return"var(--ock-text)"}function Yn(r,t){return(Math.max(r,t)+.05)/(Math.min(r,t)+.05)}function Xn(r,t){let e=document.createElement("span");e.style.color=`color-mix(in srgb, ${r}, ${r})`,t.shadowRoot?.append(e);let[i=0,n=0,o=0]=getComputedStyle(e).color.match(/-?[\d.]+(e-?\d+)?/g)?.map(Number)??[];return e.remove(),.2126*Zn(i)+.7152*Zn(n)+.0722*Zn(o)}function Zn(r){let t=Math.min(1,Math.max(0,r));return t<=.04045?t/12.92:((t+.055)/1.055)**2.4}var Um={pill:24,round:14,soft:8,sharp:2},Hm={compact:3,normal:4,spacious:5},Nr=class{constructor(t){this.host=t;this.media=globalThis.matchMedia?.("(prefers-color-scheme: dark)");this.names=[];this.fonts=[];this.follow=()=>this.apply()}set(t){JSON.stringify(t)===JSON.stringify(this.theme)&&this.names.length||(this.theme=t,this.loadFonts(_r(t).typography?.fontSources??[]),this.apply())}connect(){this.media?.addEventListener("change",this.follow),this.apply()}disconnect(){this.media?.removeEventListener("change",this.follow)}get scheme(){let t=this.theme==="system"?"system":_r(this.theme).colorScheme;return t==="system"?this.media?.matches?"dark":"light":t??"light"}apply(){let{host:t,scheme:e}=this;t.dataset.scheme=e;let{color:i={}}=_r(this.theme),n=Jn(_r(this.theme),e);t.toggleAttribute("data-own-accent",i.accent!==void 0);for(let o of this.names)t.style.removeProperty(o);this.names=[],this.put(n),i.accent&&this.put({"--ock-accent-text":Xc(t)}),Object.keys(i).length&&this.put({"--ock-link":Jc(t)})}put(t){for(let[e,i]of Object.entries(t))this.host.style.setProperty(e,i);this.names=[...this.names,...Object.keys(t)]}loadFonts(t){for(let e of this.fonts)document.fonts.delete(e);this.fonts=t.map(({family:e,src:i,weight:n,style:o,display:s,unicodeRange:a})=>{let c=/^\s*(url|local)\(/.test(i)?i:`url(${JSON.stringify(i)})`;return new FontFace(e,c,{...n?{weight:String(n)}:{},...o?{style:o}:{},...a?{unicodeRange:a}:{},display:s??"swap"})});for(let e of this.fonts)document.fonts.add(e)}};function _r(r){return typeof r=="string"?{colorScheme:r}:r??{}}function Jn(r,t){let{typography:e={},radius:i,density:n,color:o={}}=r;return{...i?Fm(i):{},...n?{"--ock-space":`${Hm[n]}px`}:{},...e.baseSize?{"--ock-size":`${e.baseSize}px`}:{},...e.fontFamily?{"--ock-font":e.fontFamily}:{},...e.fontFamilyMono?{"--ock-mono":e.fontFamilyMono}:{},...o.grayscale?jm(o.grayscale,t):{},...o.surface?Bm(o.surface):{},...o.accent?Wm(o.accent):{}}}function Fm(r){let t=`${Um[r]}px`;return{"--ock-radius":t,"--ock-radius-control":r==="pill"?"999px":t}}function Bm({background:r,foreground:t}){let e=i=>`color-mix(in srgb, ${t} ${i}%, ${r})`;return{"--ock-surface":r,"--ock-surface-raised":e(6),"--ock-border":e(18),"--ock-text":t,"--ock-text-quiet":e(75)}}function Wm({primary:r,level:t=0}){return{"--ock-accent":r,"--ock-bubble":`color-mix(in srgb, ${r} ${5+6*t}%, var(--ock-surface))`}}function jm({hue:r,tint:t,shade:e=0},i){let n=o=>`hsl(${r} ${t*3}% ${o}%)`;return i==="dark"?{"--ock-surface":n(10-e),"--ock-surface-raised":n(15-e),"--ock-border":n(25-e),"--ock-text":n(94),"--ock-text-quiet":n(70)}:{"--ock-surface":n(Math.min(100,99-e)),"--ock-surface-raised":n(Math.min(99,96-e)),"--ock-border":n(86-e),"--ock-text":n(11),"--ock-text-quiet":n(33)}}function eo(r,{chat:t}){let{text:e,icon:i,favicon:n,frame:o}=W(r.status);if(!e&&!i)return u;let s=n?Hn(t,n):null,a=s?l`<img src=${s} alt="" ?data-frame=${o===!0} referrerpolicy="no-referrer" />`:v(w(i)||(n?"globe":""));return l`<p class="ock-w-status">${a}<span dir="auto">${w(e)}</span></p>`}function pe({theme:r}){return r==="light"||r==="dark"?r:void 0}function qr(r,{chat:t}){let{theme:e}=t.options,i=pe(r);if(!i||typeof e!="object")return{};let{surface:n,...o}=e.color??{};return o.grayscale?Jn({color:{grayscale:o.grayscale}},i):{}}var Km=(r,t,e)=>{let i=to(r.confirm),n=T({...qr(r,t),background:B(r.background),...Rn(r.border),...Vm(r.padding)}),o=r.collapsed===!0&&!t.isOpen(e),s=l`${eo(r,t)}
		${o?u:l`<div class="ock-w-body">${t.children(r,e)}</div>`}
		${o?u:Zm(r,t,e)}
		${r.collapsed===!0?Qm(t,e):u}`,a=C(r.size,"md","sm","lg","full");if(r.asForm!==!0)return l`<div class="ock-w-card" part="widget card" data-size=${a}
			data-scheme=${pe(r)??u} ${n}>${s}</div>`;let c=d=>t.submit(i?.action??null,d,`${e}.confirm`);return l`<form class="ock-w-card" part="widget card" data-size=${a} novalidate
		data-scheme=${pe(r)??u} @submit=${Qn(c)} ${n}>${s}</form>`};function Vm(r){let t=le("padding",r),[e,i=e,n=e,o=i]=Gm(t.padding);return{"--w-block-start":t["padding-block-start"]??e,"--w-block-end":t["padding-block-end"]??n,"--w-inline-start":t["padding-inline-start"]??o,"--w-inline-end":t["padding-inline-end"]??i}}function Gm(r){return typeof r=="string"?r.split(/\s+(?![^(]*\))/):[]}function Qm(r,t){let e=r.isOpen(t);return l`<button type="button" class="ock-w-more" aria-expanded=${e?"true":"false"}
		@click=${()=>r.open(t,!e)}>
		${r.chat.words.text(e?"widget.less":"widget.more")}
	</button>`}function to(r){let{action:t,label:e}=W(r),i=st(t);return i?{label:w(e),action:i}:null}function Zm(r,t,e){let[i,n]=[to(r.confirm),to(r.cancel)];if(!i&&!n)return u;let o=(s,a,c,d)=>{let p=`${e}.${a}`,h=({currentTarget:m})=>{d||t.act(s.action,m,p)};return _n({node:{label:s.label,style:c},context:t,path:p,submits:d,click:h})};return l`<div class="ock-w-buttons">
		${n?o(n,"cancel","secondary",!1):u}
		${i?o(i,"confirm","primary",r.asForm===!0):u}
	</div>`}var Ym=(r,t,e)=>{let i=C(r.direction,"col","row");return l`<div class="ock-w-box" data-type="basic" data-way=${i} part="widget basic"
		data-scheme=${pe(r)??u}
		${T({...qr(r,t),...ze(r,i)})}>${t.children(r,e)}</div>`},tl={Card:Km,Basic:Ym};var Xm=5,Jm=200,tf=20,ef=(r,t,e)=>{let i=et(r),n=r.limit==="auto"?Xm:Z(r.limit,1e3),o=t.isOpen(e)?i.length:n??i.length,s={...r,children:i.slice(0,o)};return l`<div class="ock-w-card ock-w-list" part="widget list" data-scheme=${pe(r)??u}
		${T(qr(r,t))}>
		${eo(r,t)}
		<ul role="list">${t.children(s,e)}</ul>
		${o<i.length?rf(t,e,i.length-o):u}
	</div>`};function rf(r,t,e){return l`<button type="button" class="ock-w-more" aria-expanded="false" @click=${async({currentTarget:n})=>{let o=n.previousElementSibling?.children,s=o?.length??0;await r.open(t);let a=o?.[s],c=a?.querySelector("button, a, input")??a;c===a&&c?.setAttribute("tabindex","-1"),c?.focus()}}>
		${r.chat.words.text("widget.rest",{count:e})}
	</button>`}var nf=(r,t,e)=>{let i=st(r.onClickAction),n={gap:at(r.gap),"align-items":On(r.align)};return l`<li class="ock-w-item" ?data-acts=${i!==null} @click=${i?({target:s,currentTarget:a})=>{let c=a.querySelector(".ock-w-cover"),d=s.closest("button, a, input, select, textarea, label");(!d||d===c)&&t.act(i,c,e)}:null}
		aria-busy=${t.busy.has(e)?"true":u}>
		${i?l`<button type="button" class="ock-w-cover" data-path=${e}
						aria-label=${el(r).slice(0,Jm)}></button>`:u}
		<div class="ock-w-row" data-way="row" ${T(n)}>${t.children(r,e)}</div>
	</li>`};function el(r,t=0){return t>tf?"":[w(r.value??r.label??r.alt),...et(r).map(i=>el(i,t+1))].filter(Boolean).join(", ")}var rl={ListView:ef,ListViewItem:nf};var il={xs:"64px",sm:"96px",md:"144px",lg:"208px",xl:"288px"},of={start:"top",center:"middle",end:"bottom"},sf=(r,t,e)=>l`<div class="ock-w-scroll" tabindex="0" role="region"
	aria-label=${t.chat.words.text("widget.table")}>
	<table class="ock-w-table"><tbody>${t.children(r,e)}</tbody></table>
</div>`,af=(r,t,e)=>{let i=r.header===!0,n=et(r).map(o=>({...o,isHeader:i}));return l`<tr ?data-header=${i}>${t.children({...r,children:n},e)}</tr>`},cf=(r,t,e)=>{let{colSize:i}=r,n=Object.hasOwn(il,String(i))?il[String(i)]:void 0,o={"text-align":C(r.align,"start","center","end"),"vertical-align":of[C(r.vAlign,"center","start","end")],width:Q(r.width)??n,"min-width":n,...le("padding",r.padding)},s=[Z(r.colSpan)??u,Z(r.rowSpan)??u],a=t.children(r,e);return r.isHeader?l`<th scope="col" colspan=${s[0]} rowspan=${s[1]} ${T(o)}>${a}</th>`:l`<td colspan=${s[0]} rowspan=${s[1]} ${T(o)}>${a}</td>`},nl={Table:sf,"Table.Row":af,"Table.Cell":cf};function ol(r,t,e,i){let n=W(r.editable),o=w(r.value),s=w(n.name),a=w(n.placeholder),c=(Z(r.minLines)??1)>1||o.includes(`
`),d=w(n.autoComplete);return l`<textarea class="ock-w-editable" id=${e.id(i)} name=${s} dir="auto" rows="1"
		placeholder=${a} .defaultValue=${o} ?required=${n.required===!0}
		?data-one-line=${!c} data-pattern=${w(n.pattern)||u} data-grows
		autocomplete=${d||(n.allowAutofillExtensions===!0?u:"off")}
		data-label=${a||s||e.chat.words.text("widget.field")}
		data-autofocus=${n.autoFocus===!0?"":u}
		data-autoselect=${n.autoSelect===!0?"":u}
		aria-invalid=${Ft(e,i)} ${T(t)}></textarea>
		${Bt(e,i)}`}var sl={normal:"400",medium:"500",semibold:"600",bold:"700"},al={md:"1em",xs:"0.75em",sm:"0.875em",lg:"1.125em",xl:"1.25em"},lf={md:"0.8125em",sm:"0.75em",lg:"0.875em"},df={md:"1.125em",sm:"1em",lg:"1.25em",xl:"1.5em","2xl":"1.75em","3xl":"2em","4xl":"2.5em","5xl":"3em"},pf=1.5;function Ur(r,t){return r[C(t,...Object.keys(r))]}function Hr(r,t){let{weight:e}=r;return{color:B(r.color),"font-size":t,"font-weight":Object.hasOwn(sl,String(e))?sl[e]:void 0,"text-align":r.textAlign?C(r.textAlign,"start","center","end"):void 0,"-webkit-line-clamp":Fr(r)}}function Fr(r){return Z(r.maxLines)??(r.truncate===!0?1:void 0)}var uf=(r,t,e)=>{let i=Z(r.minLines),n={...Hr(r,Ur(al,r.size)),"font-style":r.italic===!0?"italic":void 0,"text-decoration-line":r.lineThrough===!0?"line-through":void 0,width:Q(r.width),"min-height":i&&`${i*pf}em`};return typeof r.editable=="object"&&r.editable!==null?ol(r,n,t,e):l`<p class="ock-w-text" dir="auto" ?data-clamp=${Fr(r)!==void 0}
		aria-busy=${r.streaming===!0?"true":u} ${T(n)}>${w(r.value)}</p>`},hf=r=>l`<p class="ock-w-title" role="heading" aria-level="3" dir="auto"
	?data-clamp=${Fr(r)!==void 0}
	${T(Hr(r,Ur(df,r.size)))}>${w(r.value)}</p>`,mf=r=>l`<p class="ock-w-caption" dir="auto"
	?data-clamp=${Fr(r)!==void 0}
	${T(Hr(r,Ur(lf,r.size)))}>${w(r.value)}</p>`,ff=(r,t,e)=>{let i=Ur(al,r.size??"sm");return l`<label class="ock-w-label" dir="auto" id=${t.id(e)}
		data-field=${w(r.fieldName)}
		${T(Hr(r,i))}>${w(r.value)}</label>`},gf=(r,{chat:t})=>l`<ock-markdown class="ock-w-markdown" .chat=${t}
	.value=${w(r.value)} .streaming=${r.streaming===!0}></ock-markdown>`,cl={Text:uf,Title:hf,Caption:mf,Label:ff,Markdown:gf};var ll=H(class extends Y{constructor(){super(...arguments),this.key=u}render(r,t){return this.key=r,t}update(r,[t,e]){return t!==this.key&&(Xt(r),this.key=t),e}});var kf={duration:220,easing:"ease-out"},ro=class extends Y{constructor(e){super(e);this.isFirst=!0;if(e.type!==K.ELEMENT)throw Error("grows() goes into a tag")}render(e){return U}update({element:e},[i]){return!this.isFirst&&i!==this.key&&vf(e),this.isFirst=!1,this.key=i,U}},bf=H(ro);function vf(r){if(matchMedia("(prefers-reduced-motion: reduce)").matches)return;let t=r.offsetHeight;queueMicrotask(()=>{let e=[t,r.offsetHeight].map(i=>`${i}px`);e[0]!==e[1]&&r.animate({height:e,overflow:["hidden","hidden"]},kf)})}var wf=(r,t,e)=>{let[i]=et(r),n=i&&(i.key??i.id??i.type);return l`<div class="ock-w-transition" ${bf(n)}>
		${i?ll(n,l`<div class="ock-w-appear">${t.draw(i,`${e}/${n}`)}</div>`):u}
	</div>`},dl={Transition:wf};var pl={...tl,...rl,...Yc,...dl,...nl,...cl,...Hc,..._c,...Zc,...Uc};function ul(r){return typeof r=="string"&&Object.hasOwn(pl,r)?pl[r]:void 0}var yf="textarea[data-grows]",xf=()=>CSS.supports("field-sizing","content"),hl=new WeakSet;function ml(r,t){if(!hl.has(r)){hl.add(r),r.addEventListener("focusin",$f),r.addEventListener("keydown",Tf);for(let e of["input","change"])r.addEventListener(e,({target:i})=>{i.matches("input, textarea, select")&&(Ef(i),t(i))})}}function $f({target:r}){let t=r;t.matches("[data-autoselect]")&&t.select()}function Tf(r){let t=r.target;r.key!=="Enter"||r.isComposing||r.defaultPrevented||!t.matches("textarea[data-one-line]")&&!t.matches("input:not([type=checkbox], [type=radio])")||(r.preventDefault(),t.closest("form")?.requestSubmit())}function Ef(r){!r.matches(yf)||xf()||(r.style.setProperty("block-size","auto"),r.style.setProperty("block-size",`${r.scrollHeight+2}px`))}var Sf=60,Br="*",io=class extends b{constructor(){super(...arguments);this.busy=new Set;this.opened=new Set;this.problems=new Map;this.fieldPrefix=`w${ae().slice(0,8)}`;this.context=this.newContext();this.hadFocus=!1;this.version=0}static{this.properties={...b.properties,root:{attribute:!1},item:{attribute:!1},failure:{state:!0}}}topics(){return["options","thread"]}connectedCallback(){super.connectedCallback(),ml(this,e=>this.checkAgain(e))}willUpdate(e){super.willUpdate(e),this.context.chat=this.chat,([...e.keys()].filter(n=>n!=="root"&&n!=="item").length||!e.has("root"))&&this.version++,this.hadFocus=this.contains(this.activeElement())}render(){return typeof this.root!="object"||this.root===null?u:l`<div class="ock-widget" tabindex="-1" aria-busy=${this.busy.has(Br)?"true":u}>
			${J(zn([this.root]),({key:e})=>e,({child:e,key:i})=>this.context.draw(e,i))}
			${this.failure?l`<p class="ock-w-problem" role="alert">${this.failure}</p>`:u}
		</div>`}updated(){Rr(this),this.keepFocus(),this.focusFirst()}keepFocus(){this.hadFocus&&!this.contains(this.activeElement())&&this.querySelector(".ock-widget")?.focus()}focusFirst(){let e=this.querySelector("[data-autofocus]:not([data-was])");if(!e)return;e.setAttribute("data-was","");let i=this.activeElement(),n=!i||Cf(i);(this.contains(i)||this.chat.status.answering&&n)&&e.focus()}activeElement(){return this.getRootNode().activeElement}newContext(){return{chat:this.chat,busy:this.busy,problems:this.problems,draw:(e,i)=>this.draw(e,i),children:(e,i)=>J(zn(et(e)),({key:n})=>n,({child:n,key:o})=>this.draw(n,`${i}/${o}`)),id:e=>`${this.fieldPrefix}-${e.replace(/[^\w-]/g,i=>`_${i.charCodeAt(0)}_`)}`,act:(e,i,n)=>{this.act(e,this.fieldsAround(i),n,n)},submit:(e,i,n)=>this.submit(e,i,n),isOpen:e=>this.opened.has(e),open:(e,i=!0)=>this.open(e,i)}}draw(e,i){return i.split("/").length>Sf?u:xs([e,this.version],()=>this.drawNow(e,i))}drawNow(e,i){let n=ul(e.type);try{return n?n(e,this.context,i):this.context.children(e,i)}catch(o){return this.chat.emit("chatkit.log",{name:"widget.component",data:{error:String(o)}}),u}}open(e,i){return i?this.opened.add(e):this.opened.delete(e),this.requestUpdate(),this.updateComplete}fieldsAround(e){let i=e.closest("form");return i?ce(i):e.matches("input, select, textarea")?[e]:ce(e)}submit(e,i,n){let o=ce(i),s=o.filter(a=>this.check(a));this.requestUpdate(),s[0]?s[0].focus():e&&this.act(e,o,n,Br)}check(e){let i=La(e,this.chat.words),{id:n}=Ar(e);return i?this.problems.set(n,i):this.problems.delete(n),i!==null}checkAgain(e){this.problems.has(Ar(e).id)&&(this.check(e),this.requestUpdate())}async act(e,i,n,o){let{loadingBehavior:s="auto"}=e,a={auto:[o,n],self:[n],container:[Br,n],none:[]}[s]??[];if(!(this.busy.has(Br)||s!=="none"&&this.busy.has(n))){this.failure=void 0,this.mark(a,!0);try{let c=_a(e.payload,Ia(i));await this.chat.act({...e,payload:c},this.item??this.preview(e))}catch(c){let d=c instanceof _?c.message:"";this.failure=d||this.chat.words.text("widget.failed")}finally{this.mark(a,!1)}}}preview({handler:e}){if(e==="client")return{type:"widget",id:"",thread_id:"",created_at:"",widget:this.root}}mark(e,i){for(let n of e)i?this.busy.add(n):this.busy.delete(n);this.requestUpdate()}};function Cf(r){let{value:t,isContentEditable:e,textContent:i}=r;return t===""||e&&!i?.trim()}x("ock-widget",io);function ue(r){let t=r.closest(".ock-box")??r,e=r.getRootNode().host,i=Math.max(e?.getBoundingClientRect().top??0,0),n=t.getBoundingClientRect().top-i-12;return`${Math.round(Math.min(Math.max(n,96),360))}px`}var Af=200,no=class extends b{constructor(){super();this.entity=null;this.root=null}static{this.properties={...b.properties,root:{state:!0}}}connectedCallback(){super.connectedCallback(),this.addEventListener("pointerenter",()=>clearTimeout(this.timer)),this.addEventListener("pointerleave",()=>this.show(null))}show(e){clearTimeout(this.timer),!(e&&e===this.entity)&&(this.timer=setTimeout(()=>{this.change(e)},Af))}hide(){clearTimeout(this.timer);let e=this.root!==null;return[this.entity,this.root]=[null,null],e}render(){return this.root?l`<div class="ock-menu ock-preview" part="preview" role="status"
			${T({"max-block-size":ue(this)})}>
			<ock-widget .chat=${this.chat} .root=${this.root}></ock-widget>
		</div>`:u}async change(e){[this.entity,this.root]=[e,null];let i=this.chat.options.entities?.onRequestPreview;if(!(!e||!i))try{let{preview:n}=await i(e);this.entity===e&&(this.root=n)}catch(n){this.chat.emit("chatkit.error",{error:n})}}};x("ock-tag-preview",no);function bt(){return matchMedia("(pointer: coarse)").matches&&!matchMedia("(any-hover: hover)").matches}var Rf=5e3,fl=40,Of=300,oo=class extends b{constructor(){super();this.onQuote=()=>{};this.conversation=null;this.leaving=new AbortController;this.quote=null}static{this.properties={...b.properties,quote:{state:!0}}}connectedCallback(){super.connectedCallback(),this.leaving=new AbortController;let{signal:e}=this.leaving,i=()=>this.look();document.addEventListener("selectionchange",()=>this.selectionChanged(),{signal:e}),this.host.addEventListener("pointerup",()=>setTimeout(i),{signal:e}),this.host.addEventListener("keyup",i,{signal:e}),this.getRootNode().addEventListener("scroll",i,{signal:e,capture:!0})}disconnectedCallback(){super.disconnectedCallback(),this.leaving.abort()}topics(){return["thread"]}willUpdate(e){super.willUpdate(e);let{conversation:i}=this.chat;i!==this.conversation&&(this.quote=null),this.conversation=i}selectionChanged(){!this.quote&&!bt()||(clearTimeout(this.timer),this.timer=setTimeout(()=>this.look(),bt()?Of:0))}render(){if(!this.quote)return u;let{text:e,x:i,y:n}=this.quote,{words:o}=this.chat;return l`<button type="button" class="ock-quoter" part="quote-button"
			${T({left:`${i}px`,top:`${n}px`})}
			@mousedown=${s=>s.preventDefault()}
			@click=${()=>this.take(e)}>${hs} ${o.text("composer.reply")}</button>`}take(e){this.quote=null,this.onQuote(e)}look(){let{status:e}=this.chat.conversation.thread??{},i=!e||e.type==="active";this.quote=i?Pf(this.host):null}get host(){return this.getRootNode().host}};function Pf(r){let t=r.shadowRoot,e=zf(t),i=e?.toString().trim()??"";if(!i||!e?.rangeCount)return null;let n=Mf(e,t),o=gl(n.endContainer)||n.endOffset===0;if(!gl(n.startContainer)||!o)return null;let s=Lf(n),a=bt()?s.at(-1):s[0],c=t.querySelector(".ock-reel")?.getBoundingClientRect();if(!a||!c||a.bottom<c.top||a.top>c.bottom)return null;let d=r.getBoundingClientRect(),p=(bt()?a.bottom+fl/2:a.top-fl)-d.top;return{text:i.slice(0,Rf),x:Math.min(Math.max((a.left+a.right)/2-d.left,60),d.width-60),y:Math.max(p,4)}}function zf(r){return r.getSelection?.()??document.getSelection()}function Mf(r,t){return r.getComposedRanges?.({shadowRoots:[t]})[0]??r.getRangeAt(0)}function gl(r){let t=r instanceof Element?r:r.parentElement;return!!t?.closest("ock-transcript")&&!t.closest("input, textarea, select, button")}function Lf({startContainer:r,startOffset:t,endContainer:e,endOffset:i}){let n=document.createRange();return n.setStart(r,t),n.setEnd(e,i),[...n.getClientRects()]}x("ock-quoter",oo);function kl(r,t,e,i){let{name:n}=r,[o,s]=[e.maxCount??10,If(r,e)];if(t>=o)return{key:"composer.file.count",values:{name:n,count:o}};if(!Df(r,e.accept)){let a=Nf(e.accept);return{key:"composer.file.type",values:{name:n,types:a}}}return r.size?r.size>s?{key:"composer.file.size",values:{name:n,size:so(s,i)}}:null:{key:"composer.file.empty",values:{name:n}}}function If(r,{maxSize:t}){if(typeof t=="number")return t;let e=vl(r),n=[e,`${e.split("/")[0]}/*`,"*/*","*",""].find(o=>t&&Object.hasOwn(t,o));return n===void 0?104857600:t[n]}function Df(r,t){if(!t||!Object.keys(t).length)return!0;let[e,i]=[vl(r),r.name.toLowerCase()];return Object.entries(t).some(([n,o])=>_f(e,n)||o.some(s=>i.endsWith(s.toLowerCase())))}function bl(r){return Object.entries(r??{}).flatMap(([t,e])=>[t,...e]).join(",")}function so(r,t){let e=["byte","kilobyte","megabyte","gigabyte"],[i,n]=[r,0];for(;i>=1e3&&n<e.length-1;)[i,n]=[i/1e3,n+1];let o=n?"short":"long",s={style:"unit",unit:e[n],unitDisplay:o},a=n&&i<10?1:0;return new Intl.NumberFormat(t,{...s,maximumFractionDigits:a}).format(i)}function vl({type:r}){return r.split(";")[0].trim().toLowerCase()||"application/octet-stream"}function _f(r,t){let e=t.toLowerCase();return e==="*"||e==="*/*"?!0:e.endsWith("/*")?r.startsWith(e.slice(0,-1)):r===e}function Nf(r){let t=Object.entries(r).flatMap(([e,i])=>i.length?i:[e]);return[...new Set(t)].join(", ")}function wl(r,t,e){return r.list.length?l`<ul class="ock-uploads" aria-label=${t.text("composer.files")}>
		${J(r.list,({key:i})=>i,i=>qf(i,t,()=>r.retry(i),()=>e(i)))}
	</ul>`:u}function yl({list:r,isBusy:t},e){return t?"":r.map(({name:i,state:n,error:o})=>n!=="failed"?e.text("composer.file.done",{name:i}):`${i}: ${o||e.text("composer.file.failed")}`).join(" ")}function qf(r,t,e,i){let{name:n,preview:o,state:s}=r;return l`<li class="ock-upload" part="composer-attachment" data-state=${s}>
		${o?l`<img class="ock-upload-picture" src=${o} alt="" @error=${Uf} />`:u}
		<span class="ock-upload-picture" ?hidden=${o!==null}>${us}</span>
		<span class="ock-upload-text">
			<span class="ock-upload-name" title=${n}><bdi>${n}</bdi></span>
			<span class="ock-hint">${Ff(r,t)}</span>
		</span>
		${s==="failed"&&r.canRetry?l`<button type="button" class="ock-tool" @click=${e}
						aria-label=${t.text("composer.file.retry",{name:n})}
						title=${t.text("composer.file.retry",{name:n})}>${ps}</button>`:u}
		<button type="button" class="ock-tool" @click=${i}
			aria-label=${t.text(ao(r)?"composer.file.cancel":"composer.file.remove",{name:n})}
			title=${t.text(ao(r)?"composer.file.cancel":"composer.file.remove",{name:n})}
			>${Zt}</button>
		${ao(r)?Hf(r,t):u}
	</li>`}function Uf({target:r}){let t=r;t.hidden=!0,t.nextElementSibling.hidden=!1}function Hf({name:r,progress:t},e){let i=t===null?null:Math.round(t*100);return l`<span class="ock-upload-progress" role="progressbar" aria-valuemin="0" aria-valuemax="100"
		aria-label=${e.text("composer.file.uploading",{name:r})} aria-valuenow=${i??u}>
		<span class="ock-upload-progress-bar" ?data-unknown=${i===null}
			${T({"inline-size":i===null?null:`${i}%`})}></span>
	</span>`}function Ff(r,t){return r.state==="failed"?r.error||t.text("composer.file.failed"):r.state==="waiting"?t.text("composer.file.waiting"):r.size===null?"":so(r.size,t.locale)}function ao({state:r}){return r==="waiting"||r==="sending"}function Wr(r){let t=new Map;for(let e of r){let i=e.group??"";t.set(i,[...t.get(i)??[],e])}return[...t.values()].flat()}function me(r,t,e){let i=r.length;for(let n=1;n<=i;n++){let o=((t+e*n)%i+i)%i;if(!r[o].disabled)return o}return-1}function Le(r,t,e){return r==="ArrowDown"?me(t,e,1):r==="ArrowUp"?me(t,e<0?0:e,-1):r==="Home"?me(t,-1,1):r==="End"?me(t,0,-1):null}function $l(r,t,e){if([...r].length!==1||r===" ")return null;let i=t.length,n=t.map((s,a)=>(e+1+a+i)%i),o=s=>s.toLocaleLowerCase().startsWith(r.toLocaleLowerCase());return n.find(s=>!t[s].disabled&&o(t[s].label))??null}function Ie(r,t){let[e,i]=[r.toLocaleLowerCase(),t.toLocaleLowerCase()];return e.startsWith(i)||e.split(/[\s\-/(]+/).some(n=>n.startsWith(i))}function De(r,t){return`${r}-${t}`}function jr(r){let{id:t,label:e,entries:i,active:n,empty:o}=r;return i.length?l`<div id=${t} class="ock-options" role="listbox" tabindex="0" aria-label=${e}
		aria-activedescendant=${n<0?u:De(t,n)}
		@mousedown=${s=>s.preventDefault()}>
		${Bf(i).map(([s,a])=>s?l`<div role="group" aria-label=${s}>
						<div class="ock-group" aria-hidden="true">${s}</div>
						${a.map(c=>xl(r,c))}
					</div>`:a.map(c=>xl(r,c)))}
	</div>`:l`<p class="ock-menu-empty">${o}</p>`}function Kr(r,t,e){e>=0&&r.querySelector(`#${De(t,e)}`)?.scrollIntoView({block:"nearest"})}function Bf(r){let t=new Map;return r.forEach(({group:e=""},i)=>t.set(e,[...t.get(e)??[],i])),[...t]}function xl({id:r,entries:t,active:e,onPick:i,onActive:n},o){let s=t[o],{checked:a,disabled:c}=s;return l`<div id=${De(r,o)} class="ock-option" role="option" part="menu-option"
		?data-active=${o===e}
		aria-selected=${String(a??o===e)}
		aria-disabled=${c?"true":u}
		@pointermove=${()=>!c&&o!==e&&n(o)}
		@click=${()=>!c&&i(s)}>
		${typeof s.icon=="string"?v(s.icon):s.icon??u}
		<span class="ock-option-text">
			<span><bdi>${s.label}</bdi></span>
			${s.description?l`<span class="ock-hint"><bdi>${s.description}</bdi></span>`:u}
		</span>
		${a?ds:u}
	</div>`}var Wf=0,co=class extends b{constructor(){super();this.list=`ock-list-${++Wf}`;this.sorted=[];this.open=!1,this.active=-1,this.addEventListener("focusout",e=>{this.contains(e.relatedTarget)||(this.open=!1)})}static{this.properties={...b.properties,label:{attribute:!1},text:{attribute:!1},glyph:{attribute:!1},entries:{attribute:!1},name:{attribute:!1},open:{state:!0},active:{state:!0}}}willUpdate(e){super.willUpdate(e),e.has("entries")&&(this.sorted=Wr(this.entries))}updated(e){this.open&&(e.has("open")&&this.querySelector(`#${this.list}`)?.focus(),Kr(this,this.list,this.active))}show(){let e=this.sorted.findIndex(({checked:i})=>i);this.active=e>=0?e:Le("Home",this.sorted,-1)??-1,this.open=!0}render(){return l`<button type="button" class="ock-tool" part=${`composer-button ${this.name}`}
				aria-label=${this.label} title=${this.text?u:this.label}
				aria-haspopup="listbox" aria-expanded=${String(this.open)}
				@click=${()=>this.open?this.close():this.show()} @keydown=${this.buttonKey}>
				${this.glyph??u}
				${this.text?l`<span class="ock-tool-text" dir="auto">${this.text}</span>${ls}`:u}
			</button>
			${this.open?this.popup():u}`}popup(){return l`<div class="ock-menu" part="menu" @keydown=${this.listKey}
			${T({"max-block-size":ue(this)})}>
			${jr({id:this.list,label:this.label,entries:this.sorted,active:this.active,onPick:e=>this.pick(e),onActive:e=>this.active=e})}
		</div>`}pick(e){this.close(),e.run()}close(){this.open=!1,this.querySelector("button").focus()}buttonKey(e){e.key!=="ArrowDown"&&e.key!=="ArrowUp"||(e.preventDefault(),this.show())}listKey(e){let{key:i}=e,n=Le(i,this.sorted,this.active)??$l(i,this.sorted,this.active);if(n!==null)this.active=n;else if(i==="Escape")this.close();else if(i==="Enter"||i===" ")this.sorted[this.active]&&this.pick(this.sorted[this.active]);else return;e.preventDefault(),e.stopPropagation()}};x("ock-menu-button",co);function dt(r,{toolId:t}){return r.composer?.tools?.find(({id:e})=>e===t)??null}function _e(r,{modelId:t}){let e=(r.composer?.models??[]).filter(({disabled:n})=>!n);return e.find(({id:n})=>n===t)??e.find(n=>n.default)??e[0]??null}function Tl(r,t){let[e,i]=[dt(r,t),_e(r,t)];return{...e?{tool_choice:{id:e.id}}:{},...i?{model:i.id}:{}}}function El(r,t){return dt(r,t)?.persistent?t:{...t,toolId:null}}function lo(r,t,{chooseTool:e}){let i=dt(r.options,t);return(r.options.composer?.tools??[]).map(({id:n,label:o,icon:s})=>{let a=n===i?.id;return{id:`tool:${n}`,label:o,icon:s,checked:a,run:()=>e(a?null:n)}})}function po(r,t,{chooseModel:e}){let i=_e(r.options,t);return(r.options.composer?.models??[]).map(({id:n,label:o,description:s,disabled:a})=>{let c=n===i?.id;return{id:`model:${n}`,label:o,description:s,disabled:a,checked:c,run:()=>e(n)}})}function Sl(r,t,e,i){let{words:n}=r,o=(c,d,p,h)=>h?[{id:c,label:d,icon:p,run:h,group:n.text("composer.group.actions")}]:[],s=c=>d=>({...d,group:c});return[...o("attach",n.text("composer.attach"),Qt,e.attach),...o("mention",n.text("composer.mention"),Ge,e.mention),...o("dictate",n.text("composer.dictate"),Ve,e.dictate),...o("new",n.text("composer.new"),ms,()=>{r.open(null)}),...lo(r,t,e).map(s(n.text("composer.tools"))),...po(r,t,e).map(s(n.text("composer.models")))].filter(({label:c})=>Ie(c,i))}async function Cl(r,t,e,i){let{onSearch:n}=r.options.commands??{};return(e?e.filter(({label:s})=>Ie(s,t)):await n?.(t)??[]).map(s=>{let{id:a,label:c,description:d,icon:p,group:h}=s;return{id:`command:${a}`,label:c,description:d,icon:p,group:h,run:()=>i(s)}})}function Rl(r){let{chat:t,deeds:e,isDisabled:i}=r,{words:n}=t;return i?l`<div class="ock-composer-bar"><span class="ock-side">${Al(r)}</span></div>`:l`<div class="ock-composer-bar">
		<slot name="composer-start"></slot>
		${uo("attach",n.text("composer.attach"),Qt,e.attach)}
		${t.options.entities?.showComposerMenu?uo("mention",n.text("composer.mention"),Ge,e.mention):u}
		${jf(r)}
		<span class="ock-side">
			${Gf(r)}
			${uo("dictate",n.text("composer.dictate"),Ve,e.dictate)}
			${Al(r)}
		</span>
	</div>`}function uo(r,t,e,i){return i?l`<button type="button" class="ock-tool" part=${`composer-button ${r}`}
		aria-label=${t} title=${t} @click=${i}>${e}</button>`:u}function jf({chat:r,choices:t,deeds:e}){let i=r.options.composer?.tools??[],n=dt(r.options,t),[o,s]=[i.filter(c=>c.pinned),i.filter(c=>!c.pinned)],a=lo(r,t,e).filter(({id:c})=>s.some(d=>c===`tool:${d.id}`));return l`${s.length?l`<ock-menu-button .chat=${r} .name=${"tools"} .label=${r.words.text("composer.tools")}
					.text=${""} .glyph=${cs} .entries=${a}></ock-menu-button>`:u}
	${o.map(c=>Kf(c,c===n,e))}
	${n&&!n.pinned?Vf(r,n,e):u}`}function Kf({id:r,label:t,icon:e,shortLabel:i},n,{chooseTool:o}){return l`<button type="button" class="ock-tool ock-pinned" part="composer-button tool"
		aria-pressed=${String(n)} aria-label=${t} title=${t}
		@click=${()=>o(n?null:r)}>
		${v(e)}${n?l`<span class="ock-tool-text" dir="auto">${i??t}</span>`:u}
	</button>`}function Vf({words:r},{label:t,icon:e,shortLabel:i},{chooseTool:n}){let o=r.text("composer.tool.clear",{label:t});return l`<button type="button" class="ock-tool ock-chosen" part="composer-button tool"
		aria-label=${o} title=${o} @click=${()=>n(null)}>
		${v(e)}<span class="ock-tool-text" dir="auto">${i??t}</span>${Zt}
	</button>`}function Gf({chat:r,choices:t,deeds:e}){let i=_e(r.options,t);if(!i)return u;let n=r.words.text("composer.model",{label:i.label});return l`<ock-menu-button class="ock-models" .chat=${r} .name=${"models"} .label=${n}
		.text=${i.label} .entries=${po(r,t,e)}></ock-menu-button>`}function Al({chat:r,canSend:t,hasText:e,isDisabled:i,stop:n,send:o}){let{words:s,status:a}=r,c=a.answering&&a.stoppable,d=p=>p.preventDefault();return l`${c?l`<button type="button" class="ock-tool ock-main" part="stop" data-stop
					aria-label=${s.text("composer.stop")} title=${s.text("composer.stop")}
					@mousedown=${d} @click=${n}>${as}</button>`:u}
	${i||c&&!e?u:l`<button type="button" class="ock-tool ock-main" part="send"
					aria-label=${s.text("composer.send")} title=${s.text("composer.send")}
					aria-disabled=${String(!t)} @mousedown=${d} @click=${o}>${ss}</button>`}`}var Qf=150,Vr=class{constructor(t,e,i){this.search=t;this.changed=e;this.report=i;this.trigger=null;this.entries=[];this.active=-1;this.loading=!1;this.failed=!1;this.dismissed=null;this.searches=0}get isOpen(){let{trigger:t}=this;return t?this.entries.length?!0:t.kind==="@"&&!/\s/.test(t.query):!1}update(t){(!t||fe(t)!==this.dismissed)&&(this.dismissed=null);let e=this.dismissed===null?t:null;if(!e)return this.close();let i=this.trigger;if(this.trigger=e,i&&Zf(i,e))return;let n=!i||fe(i)!==fe(e);this.show(n?[]:this.entries.filter(({label:o})=>Ie(o,e.query))),this.begin(n?0:Qf)}dismiss(){this.dismissed=this.trigger&&fe(this.trigger),this.close()}close(){this.trigger&&(this.searches++,clearTimeout(this.timer),Object.assign(this,{trigger:null,entries:[],active:-1,loading:!1,failed:!1}),this.changed())}activate(t){this.active=t,this.changed()}show(t){this.entries=t,this.active=me(t,-1,1)}begin(t){clearTimeout(this.timer);let e=++this.searches;Object.assign(this,{loading:!0,failed:!1}),this.timer=setTimeout(()=>{this.run(e)},t),this.changed()}async run(t){try{let e=await this.search(this.trigger);if(t!==this.searches)return;this.show(Wr(e))}catch(e){if(t!==this.searches)return;this.show([]),this.failed=!0,this.report(e)}this.loading=!1,this.changed()}};function fe({kind:r,start:t}){return`${r}${t}`}function Zf(r,t){return fe(r)===fe(t)&&r.query===t.query}function Ol({text:r,tags:t},e,i){let n=Math.max(0,e-50-1,...t.map(({end:o})=>Math.min(o,e)));for(let o=e-1;o>=n;o--){let s=r[o];if(s===`
`)return null;if(s!=="@"&&s!=="/"||!Xf(r[o-1]))continue;let a=r.slice(o+1,e);return i.has(s)&&Yf(s,a)?{kind:s,start:o,end:e,query:a}:null}return null}function Yf(r,t){return/^\s/.test(t)?!1:r==="@"?t.split(/\s/).length<=4:!/[\s/]/.test(t)}function Xf(r){return r===void 0||/[\s([{"'„“«‹‚‘¿¡。、，（「]/u.test(r)}var Gr="ock-suggestions",Qr=class{constructor(t){this.composer=t;this.submenu=null;this.isEager=!1;this.suggestions=new Vr(e=>this.search(e),()=>this.changed(),e=>t.chat.emit("chatkit.error",{error:e}))}get isOpen(){return this.suggestions.isOpen}get list(){return this.isOpen&&this.suggestions.entries.length?Gr:null}get activeOption(){let{active:t}=this.suggestions;return this.list&&t>=0?De(Gr,t):null}update(){let t=this.composer.field,e=t.hasSelection?null:Ol(t.value,t.caret,this.kinds);e?.kind!=="/"&&(this.submenu=null),this.isEager=!1,this.suggestions.update(e)}close(){this.suggestions.close()}key(t){let{suggestions:e}=this;if(!this.isOpen)return!1;let{key:i}=t,n=e.entries[e.active],s=i==="ArrowDown"||i==="ArrowUp"?Le(i,e.entries,e.active):null;if(s!==null)e.activate(s);else if(i==="Escape")e.dismiss();else if(i==="Enter"||i==="Tab"&&!t.shiftKey)if(n)this.pick(n);else if(e.loading)this.isEager=!0;else return!1;else return!1;return t.preventDefault(),t.stopPropagation(),!0}render(){let{suggestions:t,composer:e}=this,{words:i}=e.chat;if(!this.isOpen)return l`<p class="ock-hidden" role="status"></p>`;let{entries:n,active:o,trigger:s}=t,a=i.text("composer.found",{count:n.length});return l`<div class="ock-menu ock-wide" part="menu" ?data-loading=${t.loading}
				${T({"max-block-size":e.field?ue(e.field):null})}>
				${jr({id:Gr,label:i.text(s.kind==="@"?"composer.mention":"composer.commands"),entries:n,active:o,empty:this.emptyText,onPick:c=>this.pick(c),onActive:c=>t.activate(c)})}
			</div>
			<p class="ock-hidden" role="status">${t.loading?u:n.length?a:this.emptyText}</p>`}drawn(t){this.list&&Kr(t,Gr,this.suggestions.active)}changed(){let{loading:t,entries:e,active:i}=this.suggestions;this.isEager&&!t&&(this.isEager=!1,e[i]&&this.pick(e[i])),this.composer.requestUpdate()}get emptyText(){let{words:t}=this.composer.chat,{loading:e,failed:i}=this.suggestions;return t.text(e?"composer.searching":i?"composer.search.failed":"composer.nothing")}get kinds(){let{entities:t,commands:e}=this.composer.chat.options;return new Set([t?.onTagSearch?"@":"",e?.enabled?"/":""])}async search({kind:t,query:e}){let{chat:i,choices:n,deeds:o}=this.composer;if(t==="@")return(await i.options.entities?.onTagSearch?.(e)??[]).map(d=>this.entityEntry(d));let s=this.submenu?[]:Sl(i,n,o,e),a=c=>{this.command(c)};try{return[...await Cl(i,e,this.submenu,a),...s]}catch(c){return i.emit("chatkit.error",{error:c}),s}}entityEntry(t){let{id:e,title:i,icon:n,group:o}=t;return{id:e,label:i,icon:n,group:o,run:()=>{let{field:a}=this.composer;a.insertTag(a.caret,a.caret,t)}}}pick(t){let{trigger:e}=this.suggestions;e&&(this.close(),this.composer.field.replace(e.start,e.end,{text:"",tags:[]}),t.run())}async command(t){let{chat:e,field:i}=this.composer;try{let n=await e.options.commands?.onSelect?.(t);n&&this.select(i,n)}catch(n){e.emit("chatkit.error",{error:n})}}select(t,e){if(e.type==="entity")return t.insertTag(t.caret,t.caret,e.entity);this.submenu=e.commands,t.replace(t.caret,t.caret,{text:"/",tags:[]})}};var Zr="new",Jf=250,Yr=class{constructor(t,e,i){this.api=t;this.newUploads=e;this.storage=i;this.drafts=new Map}of(t){let e=t??Zr,i=this.drafts.get(e);if(i)return i;let n=this.read(e),o=this.newUploads(),s={rich:n.rich,quote:n.quote,uploads:o,sending:new Set};return this.drafts.set(e,s),n.attachments.forEach(a=>o.put(a)),s}becomes(t){let e=this.drafts.get(Zr);e&&(this.drafts.delete(Zr),this.drafts.set(t,e),this.write(Zr),this.save())}save(){this.timer??=setTimeout(()=>this.flush(),Jf)}flush(){clearTimeout(this.timer),this.timer=void 0;for(let t of this.drafts.keys())this.write(t)}read(t){try{let e=JSON.parse(this.storage?.getItem(this.name(t))??"null");if(e&&Array.isArray(e.rich?.tags)&&Array.isArray(e.attachments))return e}catch{}return{rich:Tt,quote:null,attachments:[]}}write(t){let e=this.drafts.get(t),i=e&&tg(e);try{i&&(i.rich.text||i.quote||i.attachments.length)?this.storage?.setItem(this.name(t),JSON.stringify(i)):this.storage?.removeItem(this.name(t))}catch{}}name(t){return`open-chatkit:draft:${this.api}:${t}`}};function Pl(r,t){r.sending.delete(t),r.rich=zl(t.rich,r.rich),r.quote=t.quote??r.quote,r.uploads.giveBack(t.uploads)}function zl(r,t){return t.text.trim()?r.text?Je(r,`
`,t):t:r}function tg({rich:r,quote:t,uploads:e,sending:i}){let n=[...i];return{rich:n.reduceRight((o,s)=>zl(s.rich,o),r),quote:t??n.find(o=>o.quote)?.quote??null,attachments:[...n.flatMap(o=>o.uploads.flatMap(({attachment:s})=>s??[])),...e.attachments]}}function Xr(){try{return globalThis.sessionStorage??null}catch{return null}}function Ml(r){let[t,e]=[[],[]];for(let i of r?.items??[]){if(i.kind!=="file")continue;let n=i.webkitGetAsEntry?.(),o=i.getAsFile();n?.isDirectory?e.push(n.name):o&&t.push(o)}return{files:t,folders:e}}function Ll(r,{allowed:t,over:e,dropped:i}){let n=new AbortController,o=(c,d)=>r.addEventListener(c,d,{signal:n.signal}),s=({dataTransfer:c})=>c?.types.includes("Files")??!1,a=c=>{s(c)&&(c.preventDefault(),c.dataTransfer.dropEffect=t()?"copy":"none",e(t()))};return o("dragenter",a),o("dragover",a),o("dragleave",c=>{let d=c.relatedTarget;(!d||!(r===d||r.contains(d)||r.shadowRoot?.contains(d)))&&e(!1)}),o("drop",c=>{e(!1),s(c)&&(c.preventDefault(),t()&&i(c.dataTransfer))}),()=>n.abort()}var ho="ock-closed";function Ne({conversation:r}){let{type:t}=r.thread?.status??{};return t==="locked"||t==="closed"}function Il(r){if(!Ne(r))return u;let{words:t,conversation:e}=r,{type:i,reason:n}=e.thread.status,o=i==="closed";return l`<div class="ock-closed" part="composer-closed">
		<p id=${ho} dir="auto">${n||t.text(o?"composer.closed":"composer.locked")}</p>
		${o?l`<button type="button" class="ock-plain" @click=${()=>eg(r)}>
						${t.text("composer.new")}
					</button>`:u}
	</div>`}function eg(r){r.open(null),r.composer?.focus()}function Dl(r,t,e){if(!r)return u;let i=t.text("composer.quote.remove");return l`<div class="ock-quote" part="composer-quote">
		<blockquote dir="auto" aria-label=${t.text("composer.quote")}>${r}</blockquote>
		<button type="button" class="ock-tool" @click=${e} aria-label=${i} title=${i}
			>${Zt}</button>
	</div>`}function _l(r,t){return r?l`<div class="ock-drop" part="drop">
		<p>${Qt} ${t.text("composer.drop")}</p>
	</div>`:u}var Jr=class{constructor(t){this.composer=t;this.picked=t=>{let e=t.target;this.add([...e.files??[]]),e.value="",this.composer.refocus()};this.pasted=t=>{let e=t.clipboardData?.types??[];!(e.includes("text/plain")&&e.includes("text/html"))&&this.isOpen&&this.take(t.clipboardData)&&t.preventDefault()}}get options(){let{attachments:t}=this.composer.chat.options.composer??{};return t?.enabled?t:null}get isOpen(){return this.options!==null&&!Ne(this.composer.chat)}add(t,e=[]){let{draft:i,chat:n}=this.composer,{words:o}=n,s=this.options??{enabled:!0};for(let a of t){let c=kl(a,i.uploads.list.length,s,o.locale);c?e.push(o.text(c.key,c.values)):i.uploads.add(a)}this.composer.say(e)}take(t){let{files:e,folders:i}=Ml(t),{words:n}=this.composer.chat,o=i.map(s=>n.text("composer.file.folder",{name:s}));return!e.length&&!o.length?!1:(this.add(e,o),!0)}};async function Nl(r,t,e){let{api:i}=r.options,n="url"in i?i.uploadStrategy:void 0,o=n?.type==="direct"?await rg(r,t,n.uploadUrl,e):await ig(r,t,e);return e.signal.throwIfAborted(),o}async function rg(r,t,e,i){let n=new FormData;n.append("file",t,t.name);let o=mo(e),s=Wl(r,o)?og(r):null,a={method:"POST",url:o,headers:s??{},body:n},c=Bl(r)&&!s?await Ul(r,a,i):await ql(r,a,i),d=Fl(c);if(!d)throw new _(c.status,"");return i.onId(d.id),d}async function ig(r,t,e){let i=t.type||"application/octet-stream",n=await r.createAttachment(t.name,t.size,i);e.onId(n.id),e.signal.throwIfAborted();let{upload_descriptor:o,...s}=n;if(!o)return n;let{method:a,headers:c={}}=o,d={method:a,url:mo(o.url),headers:c,body:t},p=await ql(r,d,e),h=Fl(p);return h?.id===n.id?{...s,...h}:s}async function ql(r,t,e){try{return await ng(r,t,e)}catch(i){if(!(i instanceof _&&i.status===401)||!Bl(r)||!Wl(r,t.url))throw i;return Ul(r,t,e)}}async function Ul(r,t,e){let{url:i,method:n,body:o}=t;e.onProgress(null);let s={"Accept-Language":r.words.locale,...t.headers},a=await r.fetch(i,{method:n,headers:s,body:o,signal:e.signal});return Hl(a.status,await a.text())}function ng(r,t,{signal:e,onProgress:i}){return new Promise((n,o)=>{let s=new XMLHttpRequest;s.open(t.method,t.url);let a={"Accept-Language":r.words.locale,...t.headers};for(let[c,d]of Object.entries(a))s.setRequestHeader(c,d);s.upload.onprogress=({lengthComputable:c,loaded:d,total:p})=>i(c&&p?d/p:null),s.onload=()=>{try{n(Hl(s.status,s.responseText))}catch(c){o(c)}},s.onerror=()=>o(new TypeError("The server cannot be reached")),s.onabort=()=>o(e.reason),e.addEventListener("abort",()=>s.abort(),{once:!0}),s.send(t.body)})}function Hl(r,t){let e=null;try{e=JSON.parse(t)}catch{}if(r>=200&&r<300)return{status:r,body:e};let{message:i}=e??{};throw new _(r,typeof i=="string"?i:"")}function Fl({body:r}){let t=r;return typeof t?.id=="string"&&typeof t.name=="string"?t:null}function Bl({options:{api:r}}){return"fetch"in r&&typeof r.fetch=="function"}function og({options:{api:r}}){return"headers"in r&&r.headers?.()||null}function Wl({options:{api:r}},t){return"url"in r&&new URL(t).origin===new URL(mo(r.url)).origin}function mo(r){let t=new URL(r,document.baseURI);if(!/^https?:$/.test(t.protocol))throw new _(0,"");return t.href}var sg=3,ag=[400,413,415,422],cg=/^image\/(png|jpeg|gif|webp|avif|bmp)$/,lg=0,ti=class{constructor(t,e){this.chat=t;this.changed=e;this.entries=[];this.waiters=[]}get list(){return this.entries}get isBusy(){return this.entries.some(({state:t})=>t==="waiting"||t==="sending")}get hasFailed(){return this.entries.some(({state:t})=>t==="failed")}get attachments(){return this.entries.flatMap(({attachment:t})=>t??[])}add(t){let{name:e,size:i,type:n}=t,o=cg.test(n)?URL.createObjectURL(t):null;this.entries.push({...jl(),name:e,size:i,type:n,preview:o,file:t,state:"waiting"}),this.next()}put(t){if(this.entries.some(({id:a})=>a===t.id))return;let{id:e,name:i,mime_type:n,preview_url:o}=t,s=o&&this.isOwn(o)?o:null;this.entries.push({...jl(),id:e,name:i,type:n,preview:s,state:"done",attachment:t}),this.tell()}retry(t){let e=this.entryOf(t);e?.file&&(this.forget(e),Object.assign(e,{state:"waiting",error:"",progress:null}),this.next())}remove(t){let e=this.entryOf(t);e&&(this.entries=this.entries.filter(i=>i!==e),e.abort.abort(),this.forget(e),fo(e),this.next())}take(){let t=this.entries;return this.entries=[],this.tell(),t}giveBack(t){this.entries=[...t,...this.entries],this.tell()}async settled(){for(;this.isBusy;)await new Promise(t=>this.waiters.push(t))}next(){this.tell();let t=this.entries.filter(({state:i})=>i==="sending").length,e=this.entries.filter(({state:i})=>i==="waiting");for(let i of e.slice(0,Math.max(0,sg-t)))this.send(i)}async send(t){let e=new AbortController;Object.assign(t,{state:"sending",abort:e,progress:0});let{signal:i}=e;try{t.attachment=await Nl(this.chat,t.file,{signal:i,onProgress:n=>this.set(t,{progress:n}),onId:n=>{t.id=n,i.aborted&&this.forget(t)}}),this.set(t,{state:"done",progress:1})}catch(n){if(i.aborted)return;let[o,s]=n instanceof _?[n.message,n.status]:["",0];this.set(t,{state:"failed",error:o,canRetry:!ag.includes(s)}),this.chat.emit("chatkit.error",{error:n})}this.next()}forget(t){let{id:e}=t;t.id=t.attachment=null,e&&this.chat.deleteAttachment(e).catch(()=>{})}set(t,e){Object.assign(t,e),this.tell()}tell(){this.isBusy||this.waiters.splice(0).forEach(t=>t()),this.changed()}entryOf(t){return this.entries.find(({key:e})=>e===t.key)}isOwn(t){let{api:e}=this.chat.options,i=n=>new URL(n,document.baseURI).origin;return t.startsWith("data:image/")||i(t)===i("url"in e?e.url:"")}};function fo({preview:r}){r?.startsWith("blob:")&&URL.revokeObjectURL(r)}function jl(){return{...{key:++lg,name:"",size:null,type:"",preview:null,error:"",canRetry:!0},...{state:"waiting",progress:null,attachment:null,id:null},file:null,abort:new AbortController}}var go={toolId:null,modelId:null},ei=class{constructor(t){this.changed=t;this.choices=go;this.drafts=null;this.api=null;this.shown=null}follow(t){let{conversation:e,threadId:i}=t,n=this.draftsOf(t),o=this.shown;return o?.conversation===e&&o.threadId===i?!1:(this.shown={conversation:e,threadId:i},o?.conversation===e&&i?(n.becomes(i),!1):(n.flush(),this.draft=n.of(i),!0))}keep(t){this.choices=t;try{Xr()?.setItem(this.name,JSON.stringify(t))}catch{}}save(){this.drafts?.save()}flush(){this.drafts?.flush()}draftsOf(t){let{api:e}=t.options,i="url"in e?e.url:"";return this.drafts&&i===this.api?this.drafts:(this.drafts?.flush(),this.api=i,this.shown=null,this.choices=this.readChoices(),this.drafts=new Yr(i,()=>new ti(t,this.changed),Xr()),this.drafts)}readChoices(){try{return{...go,...JSON.parse(Xr()?.getItem(this.name)??"{}")}}catch{return go}}get name(){return`open-chatkit:choices:${this.api}`}};var dg=["composer.wait","composer.file.decide"],ko=class extends b{constructor(){super();this.writing=new ei(()=>this.changed());this.fieldRef=Xe();this.previewRef=Xe();this.fileRef=Xe();this.menu=new Qr(this);this.intake=new Jr(this);this.leaving=new AbortController;this.hadFocus=!1;this.dictated=e=>this.field.insert(e);this.dictationOver=()=>{this.isDictating=!1,this.refocus()};this.detach=e=>{this.draft.uploads.remove(e),this.notes=[],this.refocus()};this.key=e=>{if(!(e.isComposing||e.keyCode===229)){if(e.key==="Escape"&&this.previewRef.value?.hide())return e.stopPropagation();if(e.key==="Escape"&&this.isDictating)return this.dictationOver();!(e.target instanceof HTMLTextAreaElement)||this.menu.key(e)||e.key!=="Enter"||e.shiftKey||e.altKey||bt()||(e.preventDefault(),this.send())}};this.left=({target:e,relatedTarget:i})=>{let n=i instanceof Element&&i.closest(".ock-wide");e instanceof HTMLTextAreaElement&&!n&&this.menu.close()};this.quoted=e=>{this.draft.quote=e,this.changed(),this.focus()};this.unquote=()=>{this.draft.quote=null,this.changed(),this.refocus()};this.stop=()=>{this.chat.stop(),this.refocus()};this.send=async()=>{let{draft:e,chat:i,choices:n}=this;if(!this.canSend)return this.explain();let{quote:o,rich:s}=e,a={content:ws(s),attachments:e.uploads.attachments,quotedText:o,inferenceOptions:this.takeInferenceOptions()},c={rich:s,quote:o,uploads:e.uploads.take()};e.sending.add(c),e.quote=null,this.write(Tt),this.notes=[],this.refocus();try{await i.send(a),e.sending.delete(c),c.uploads.forEach(fo)}catch(d){Pl(e,c),this.choose({toolId:this.choices.toolId??n.toolId}),e===this.draft&&this.write(e.rich),this.tellUnsent(d)}this.changed()};this.edited=()=>{let{value:e}=this.field;this.sync()&&(this.field.value=e),e!==this.draft.rich&&(this.draft.rich=e,this.notes=[],this.previewRef.value?.hide()),this.menu.update(),this.changed()};this.fieldEvents={edited:this.edited,clicked:e=>this.chat.options.entities?.onClick?.(e),shown:e=>this.previewRef.value?.show(this.menu.isOpen?null:e)};this.choices={toolId:null,modelId:null},this.notes=[],this.isDropping=this.isDictating=!1}static{this.properties={...b.properties,choices:{state:!0},notes:{state:!0},isDropping:{state:!0},isDictating:{state:!0}}}topics(){return["status","options","thread"]}connectedCallback(){super.connectedCallback(),this.chat.composer=this,this.leaving=new AbortController;let{signal:e}=this.leaving;addEventListener("pagehide",()=>this.writing.flush(),{signal:e});let i=Ll(this.host,{allowed:()=>this.intake.isOpen,over:n=>this.isDropping=n,dropped:n=>this.intake.take(n)});e.addEventListener("abort",i)}disconnectedCallback(){super.disconnectedCallback(),this.leaving.abort(),this.menu.close(),this.writing.flush(),this.chat.composer===this&&(this.chat.composer=null)}get field(){return this.fieldRef.value??null}refocus(){bt()||this.focus()}say(e){this.notes=e}focus(){this.field?.focus(),!(this.field&&!this.field.disabled)&&(this.requestUpdate(),this.updateComplete.then(()=>this.field?.focus()))}takeInferenceOptions(){let{chat:e,choices:i}=this;return this.choose(El(e.options,i)),Tl(e.options,i)}async set(e){this.sync();let{text:i,content:n,reply:o,attachments:s,files:a,selectedToolId:c,selectedModelId:d}=e;n?this.write(ys(n)):i!==void 0&&this.write({text:i,tags:[]}),o!==void 0&&(this.draft.quote=o||null),c!==void 0&&this.choose({toolId:c}),d!==void 0&&this.choose({modelId:d});for(let p of s??[])this.draft.uploads.put(p);a&&this.intake.add(a),this.changed(),a?.length&&await this.draft.uploads.settled()}get deeds(){let{entities:e,composer:i}=this.chat.options,n=i?.dictation?.enabled&&!this.isDictating;return{attach:this.intake.options?()=>this.fileRef.value?.click():null,mention:e?.onTagSearch?()=>this.mention():null,dictate:n?()=>{this.dictate()}:null,chooseTool:o=>this.choose({toolId:o}),chooseModel:o=>this.choose({modelId:o})}}mention(){let e=this.field;e.focus(),e.insert("@")}async dictate(){try{await import("./open-chatkit/dictation-Z2OETUE3.js"),this.isDictating=!0}catch(e){this.chat.emit("chatkit.error",{error:e}),this.notes=[this.chat.words.text("composer.dictation.failed")]}}choose(e){let i=dt(this.chat.options,this.choices)?.id??null;this.choices={...this.choices,...e},this.writing.keep(this.choices);let n=dt(this.chat.options,this.choices)?.id??null;n!==i&&this.chat.emit("chatkit.tool.change",{toolId:n})}tellUnsent({name:e,message:i}){let{status:n,words:o}=this.chat;if(n.error&&!n.answering)return;let s=e==="Refused"?i:"";this.notes=[`${o.text("composer.unsent")} ${s}`.trim()]}explain(){let{isBusy:e,hasFailed:i}=this.draft.uploads,n=e?"composer.wait":i?"composer.file.decide":null;n&&(this.notes=[this.chat.words.text(n)])}write(e){this.draft.rich=e,this.field&&(this.field.value=e,this.field.updateComplete.then(()=>this.field?.toEnd()),this.menu.close())}changed(){this.writing.save(),dg.some(e=>this.notes.includes(this.chat.words.text(e)))&&(this.notes=[],this.explain()),this.requestUpdate()}get host(){return this.getRootNode().host}get draft(){return this.writing.draft}get isDisabled(){return Ne(this.chat)}get hasText(){let{rich:e,uploads:i}=this.draft;return e.text.trim()!==""||i.list.length>0}get canSend(){let{uploads:e}=this.draft;return this.hasText&&!e.isBusy&&!e.hasFailed&&!this.isDisabled}willUpdate(e){super.willUpdate(e),this.sync(),this.hadFocus=this.hasFocus}firstUpdated(){this.field.value=this.draft.rich}updated(){this.menu.drawn(this),this.hadFocus&&!this.hasFocus&&this.refocus()}get hasFocus(){let{activeElement:e}=this.getRootNode();return e!==null&&this.contains(e)}sync(){return this.writing.follow(this.chat)?(this.notes=[],this.isDictating=this.isDropping=!1,this.choices=this.writing.choices,this.write(this.draft.rich),!0):!1}render(){let{chat:e,draft:i,choices:n,menu:o,isDisabled:s,deeds:a}=this,{words:c,options:d}=e;return l`<form class="ock-composer" @submit=${p=>p.preventDefault()}
				@keydown=${this.key} @paste=${this.intake.pasted} @focusout=${this.left}>
				${Il(e)}
				<div class="ock-box" part="composer-box" ?data-disabled=${s}>
					${o.render()}
					<ock-tag-preview .chat=${e} ${Jt(this.previewRef)}></ock-tag-preview>
					${wl(i.uploads,c,this.detach)}
					${Dl(i.quote,c,this.unquote)}
					<ock-field .chat=${e} ${Jt(this.fieldRef)} .events=${this.fieldEvents}
						.label=${c.text("composer.label")} .placeholder=${this.placeholder}
						.disabled=${s} .describedBy=${s?ho:""}
						.enterKey=${bt()?"enter":"send"}
						.list=${o.list} .activeOption=${o.activeOption}></ock-field>
					<input class="ock-upload-input" type="file" tabindex="-1" aria-hidden="true" hidden
						?multiple=${(d.composer?.attachments?.maxCount??2)>1}
						accept=${bl(d.composer?.attachments?.accept)}
						@change=${this.intake.picked} ${Jt(this.fileRef)} />
					${this.isDictating?l`<ock-dictation .chat=${e} .onText=${this.dictated}
									.onEnd=${this.dictationOver}></ock-dictation>`:Rl({chat:e,choices:n,deeds:a,isDisabled:s,canSend:this.canSend,hasText:this.hasText,stop:this.stop,send:this.send})}
				</div>
				<p class="ock-hidden" role="status">${yl(i.uploads,c)}</p>
				<div role="status">${this.notes.map(p=>l`<p class="ock-composer-note" part="composer-note">${p}</p>`)}</div>
			</form>
			<ock-quoter .chat=${e} .onQuote=${this.quoted}></ock-quoter>
			${_l(this.isDropping,c)}`}get placeholder(){let{options:e,words:i}=this.chat;return dt(e,this.choices)?.placeholderOverride??e.composer?.placeholder??i.text("composer.placeholder")}};x("ock-composer",ko);function qe(r){switch(r.type){case"user_message":case"assistant_message":return bo(r.content);case"structured_input":return bo(r.inputs);case"workflow":return ri(r.workflow)&&bo(r.workflow.tasks);case"task":return ri(r.task);case"widget":return ri(r.widget);default:return["client_tool_call","generated_image","end_of_turn"].includes(r.type)}}function bo(r){return Array.isArray(r)&&r.every(ri)}function ri(r){return typeof r=="object"&&r!==null}function Kl(r){if(!qe(r))return"";switch(r.type){case"user_message":return r.content.map(({text:t})=>t).join("");case"assistant_message":return r.content.map(({text:t})=>t).join(`

`).trim();case"widget":return r.copy_text??"";default:return""}}function Vl(r,t,e){if(!qe(r))return"";switch(r.type){case"assistant_message":return r.content.map(({text:i})=>i).join(`

`);case"widget":return r.copy_text??e.text("items.widget");case"generated_image":return e.text(vo(t,!!r.image));case"structured_input":return r.inputs.map(({question:i})=>i).join(`
`);case"task":return r.task.title??"";case"workflow":return r.workflow.tasks.at(-1)?.title??"";default:return""}}function vo(r,t){return r?"image.making":t?"image.label":"image.unfinished"}var ni=class{constructor(){this.told=0}next(t,e){t.length<this.told&&(this.told=0);let i=e?t.length:pg(t,this.told),n=t.slice(this.told,i);return this.told=Math.max(this.told,i),ug(n)}skip(t){this.told=t.length}},ii=/[.!?…:;][)\]"'”’*_]*\s|[。！？]|\n/g;function pg(r,t){let e=t;ii.lastIndex=t;for(let i=ii.exec(r);i;i=ii.exec(r))e=ii.lastIndex;return e}function ug(r){return r.replace(/^\s*((```|~~~).*|[-:| ]{3,})$/gm,"").replace(/!?\[([^\]]*)\]\([^)]*\)/g,"$1").replace(/^\s*(#{1,6}|>|[-*+])\s+/gm,"").replace(/(\*\*|__|~~|`|\*)/g,"").replace(/^\s*\||\|\s*$/gm,"").replace(/\s*\|\s*/g,", ").replace(/\s+/g," ").replace(/^[, ]+|[, ]+$/g,"")}var Gl=1e3,hg=5,wo=class extends b{constructor(){super();this.shown=null;this.texts=new Map;this.wasAnswering=!1;this.waiting=[];this.count=0;this.watched="";this.told=[]}static{this.properties={...b.properties,told:{state:!0}}}topics(){return["items","status","thread",...this.chat?this.answer().map(({id:i})=>`item:${i}`):[]]}disconnectedCallback(){super.disconnectedCallback(),clearTimeout(this.timer),this.timer=void 0}answer(){let{items:e}=this.chat.conversation,i=e.findLastIndex(({type:n})=>n==="user_message");return e.slice(i+1)}willUpdate(e){super.willUpdate(e);let{conversation:i,status:n}=this.chat;i!==this.shown&&this.reset(i);let o=this.answer(),s=o.map(({id:a})=>a).join(" ");s!==this.watched&&this.listen(),this.watched=s;for(let a of o){let c=i.isOpen(a.id),d=Vl(a,c,this.chat.words),p=a.type==="assistant_message"?a.id:`${a.id} ${d}`,h=this.texts.get(p)??new ni;this.texts.set(p,h),n.answering||this.wasAnswering?this.say(h.next(d,!c||p!==a.id)):h.skip(d)}this.wasAnswering=n.answering}reset(e){this.shown=e,this.texts.clear(),this.waiting=[],this.wasAnswering=!1,this.told=[]}say(e){e&&(this.waiting.push(e),this.timer??=setTimeout(()=>this.flush(),this.count?Gl:0))}flush(){if(this.timer=void 0,!this.waiting.length)return;let e=this.waiting.splice(0).join(" "),{ariaNotify:i}=this;i?i.call(this,e):this.told=[...this.told,{key:this.count,text:e}].slice(-hg),this.count++,this.timer=setTimeout(()=>this.flush(),Gl)}render(){return l`<div class="ock-hidden" part="announcements" aria-live="polite" aria-relevant="additions">
			${J(this.told,({key:e})=>e,({text:e})=>l`<p>${e}</p>`)}
		</div>`}};x("ock-announcer",wo);var mg="local_";function pt(r){return r.startsWith(mg)}function fg({type:r}){return r!=="end_of_turn"}function Ql(r,t,e=new Date){let i=[],[n,o]=[null,e.toDateString()],[s,a]=[[],!1],c=d=>{let p=i.at(-1);s.length&&p&&(p.ends={itemIds:s,userId:n,isLast:d,isWaiting:a}),s=[]};for(let d of r){if(!fg(d))continue;let{id:p}=d,h=d.type==="user_message"?"user":"assistant";h==="user"?(c(!1),n=p):s.push(p),a="status"in d&&d.status==="pending";let m=new Date(d.created_at),g=!Number.isNaN(m.valueOf())&&m.toDateString()!==o;g&&(o=m.toDateString());let y=h!==i.at(-1)?.speaker,$=t.of(p);i.push({key:$,id:p,speaker:h,begins:y,day:g?m:null,ends:null})}return c(!0),i}var Ue=class{constructor(){this.keys=new Map;this.known=new Set}of(t){return this.keys.get(t)??t}update(t){let e=new Set(t.map(({id:s})=>s)),i=[...this.known].filter(s=>pt(s)&&!e.has(s)),n=t.filter(({id:s})=>!this.known.has(s)),o=n.filter(({id:s,type:a})=>a==="user_message"&&!pt(s));if(this.known.size)for(let[s,a]of i.entries()){let c=o[s];c&&this.keys.set(c.id,this.of(a))}return this.known=e,n.findLast(({id:s})=>pt(s))?.id??null}};var gg={"stream.error":"error.stream",lost:"error.lost",network:"error.network"},Zl={info:{icon:"info",word:"notice.info"},warning:{icon:"warning",word:"notice.warning"},danger:{icon:"danger",word:"notice.danger"}},xo=class extends b{constructor(){super(...arguments);this.awaited=[]}topics(){return["items","status","options","thread",...this.awaited]}willUpdate(e){super.willUpdate(e);let i=this.chat.conversation.items.at(-1),o=i&&this.chat.status.answering&&!this.isShowing()?[`item:${i.id}`]:[];String(o)!==String(this.awaited)&&(this.awaited=o,this.listen())}render(){let{notices:e,error:i,answering:n}=this.chat.status;return l`
			<div class="ock-working" role="status" part="progress">${this.working()}</div>
			<div role="status">${e.map(o=>this.notice(o))}</div>
			${i&&!n?this.error(i):u}
		`}working(){let{status:e,words:i}=this.chat,{progress:n,answering:o,loading:s}=e;return n?l`<p class="ock-aside ock-busy">
				${n.icon?l`<span class="ock-mark-icon">${v(n.icon)}</span>`:yo()}
				<span dir="auto">${n.text}</span>
			</p>`:s?l`<p class="ock-aside">${yo()} <span>${i.text("transcript.loading")}</span></p>`:!o||this.isShowing()?u:l`<p class="ock-typing" part="typing">
			${yo()}<span class="ock-hidden">${i.text("transcript.typing")}</span>
		</p>`}isShowing(){let{conversation:e}=this.chat,i=e.items.at(-1);return!i||i.type==="user_message"||!e.isOpen(i.id)?!1:i.type!=="assistant_message"||i.content.some(({text:n})=>n)}notice(e){let{chat:i}=this,{words:n}=i,o=Zl[e.level]??Zl.info;return l`<div class="ock-notice" part="notice ${e.level}" data-level=${e.level}>
			<span class="ock-mark-icon">${v(o.icon)}<span class="ock-hidden">${n.text(o.word)}</span></span>
			<div class="ock-notice-text">
				${e.title?l`<strong dir="auto">${e.title}</strong>`:u}
				<ock-markdown .chat=${i} .value=${e.message}></ock-markdown>
			</div>
			<button
				class="ock-icon-button"
				type="button"
				aria-label=${n.text("notice.dismiss")}
				title=${n.text("notice.dismiss")}
				@click=${()=>this.leave(()=>i.dismissNotice(e))}
			>
				${v("close")}
			</button>
		</div>`}error(e){let{words:i}=this.chat,n=e.code==="stopped",o=this.messageOf(e),s=this.again(e);return l`<div
			class="ock-error"
			part="error"
			role=${n?"status":"alert"}
			data-code=${e.code}
			?data-quiet=${n}
		>
			${n?u:l`<span class="ock-mark-icon">${v("danger")}</span>`}
			<p dir="auto">${o}</p>
			${s?l`<button class="ock-push" type="button" part="retry" @click=${()=>this.leave(s)}>
						${v("reload")} ${i.text("error.retry")}
					</button>`:u}
		</div>`}messageOf({code:e,message:i}){let{words:n}=this.chat;return e==="stopped"?n.text("error.stopped"):i||n.text(gg[e]??"error.unknown")}again({code:e,allow_retry:i}){let{chat:n}=this,o=n.conversation.items.findLast(({type:c,id:d})=>c==="user_message"&&!pt(d)),s=c=>{c.catch(()=>{})};if(!o)return(e==="network"||e==="lost")&&n.conversation.items.length===0?()=>s(n.fetchUpdates()):null;let a=(n.conversation.thread?.status?.type??"active")==="active";return i&&a?()=>s(n.retry(o.id)):null}leave(e){this.closest(".ock-reel")?.focus({preventScroll:!0}),e()}};function yo(){return l`<span class="ock-dots" aria-hidden="true"><i></i><i></i><i></i></span>`}x("ock-ending",xo);var Yl=new Map,Jl={timeStyle:"short"},td={dateStyle:"full",timeStyle:"short"},$o={weekday:"long",month:"long",day:"numeric"};function ed({locale:r}){[Jl,td,$o].forEach((t,e)=>setTimeout(()=>oi(new Date,r,t),20*e))}function oi(r,t,e){let i=`${t} ${JSON.stringify(e)}`,n=Yl.get(i)??new Intl.DateTimeFormat(t,e);return Yl.set(i,n),n.format(r)}function rd(r,t,e=new Date){let i=Math.round((Xl(r)-Xl(e))/864e5);if(i===0||i===-1){let a=new Intl.RelativeTimeFormat(t.locale,{numeric:"auto"}).format(i,"day");return a.charAt(0).toLocaleUpperCase(t.locale)+a.slice(1)}let o=r.getFullYear()===e.getFullYear()?$o:{...$o,year:"numeric"};return oi(r,t.locale,o)}function id(r,t){let e=new Date(r);return Number.isNaN(e.valueOf())?null:{short:oi(e,t.locale,Jl),long:oi(e,t.locale,td)}}function Xl(r){return new Date(r.getFullYear(),r.getMonth(),r.getDate()).valueOf()}function ge(r){let e=r.getRootNode().activeElement;return e&&r.contains(e)?e:null}var He=class{constructor(){this.heights=new Map;this.measured=new Set;this.keys=[];this.tops=new Float64Array(1);this.isStale=!1;this.sum=0}get count(){return this.keys.length}setKeys(t){this.keys=t,this.isStale=!0;let e=this.measured.size?this.sum/this.measured.size:120;for(let i of t)this.heights.has(i)||this.heights.set(i,e)}measure(t,e){let i=this.heights.get(t);return this.sum+=e-(this.measured.has(t)?i:0),this.measured.add(t),this.heights.set(t,e),this.isStale||=i!==e,i!==e}has(t){return this.heights.has(t)}isMeasured(t){return this.measured.has(t)}top(t){return this.place(),this.tops[Math.max(0,Math.min(t,this.count))]}get total(){return this.top(this.count)}at(t){this.place();let[e,i]=[0,Math.max(0,this.count-1)];for(;e<i;){let n=e+i>>1;this.tops[n+1]>t?i=n:e=n+1}return e}between(t,e){return this.count?{from:this.at(t),to:this.at(e)+1}:{from:0,to:0}}place(){if(!this.isStale)return;this.isStale=!1,this.tops.length<=this.count&&(this.tops=new Float64Array(this.count*2+1));let t=0;for(let e=0;e<this.count;e++)this.tops[e]=t,t+=this.heights.get(this.keys[e]);this.tops[this.count]=t}};function nd(r,t,e,{step:i,fromEnd:n}){let o=r.from>=r.to||r.from>t.to||r.to<t.from,s=n?t.to:t.from,a=o?s:Math.max(r.from,e.from),c=o?s:Math.min(r.to,e.to);for(let d=i;d>0&&(a>e.from||c<e.to);d--){let[p,h]=[a>t.from,c<t.to],m=c>=e.to||a>e.from&&t.from-a<=c-t.to;(p===h?p?n:m:p)?a--:c++}return{from:a,to:c}}function od({from:r,to:t},e,i){return{from:Math.max(0,r-e),to:Math.min(i,t+e)}}function si(r,t){return r.from===t.from&&r.to===t.to}function sd({from:r,to:t},e,i){let n=new Set(e);for(let a=r;a<t;a++)n.add(a);let o=[],s=0;for(let a of[...n].filter(c=>c>=0&&c<i).sort((c,d)=>c-d))a>s&&o.push({gap:{from:s,to:a}}),o.push({row:a}),s=a+1;return s<i&&o.push({gap:{from:s,to:i}}),o}function ad(r,t){if(r.ctrlKey||r.metaKey||r.shiftKey)return null;let e=r.altKey||t;switch(r.key){case"ArrowUp":return e?-1:null;case"ArrowDown":return e?1:null;case"Home":return t?"first":null;case"End":return t?"last":null;default:return null}}async function cd(r){try{return await navigator.clipboard.writeText(r),!0}catch{return kg(r)}}function kg(r){let t=e=>{e.preventDefault(),e.clipboardData?.setData("text/plain",r)};document.addEventListener("copy",t,{capture:!0,once:!0});try{return document.execCommand("copy")}finally{document.removeEventListener("copy",t,{capture:!0})}}var bg={positive:"thumbs-up",negative:"thumbs-down"},vg=2e3,To=new WeakMap,wg={attribute:!1,hasChanged:(r,t)=>String(r)!==String(t)},Eo=class extends b{static{this.properties={...b.properties,itemIds:wg,userId:{attribute:!1},isLast:{attribute:!1},own:{attribute:!1},isCopied:{state:!0},isAsking:{state:!0},failure:{state:!0}}}constructor(){super(),this.isCopied=!1,this.isAsking=!1,this.failure=""}topics(){return["options","status","thread"]}render(){let{chat:t}=this,{words:e}=t,{feedback:i,retry:n}=t.options.threadItemActions??{},s=[this.text()&&this.button(this.isCopied?"check":"copy",e.text(this.isCopied?"actions.copied":"actions.copy"),this.copy,"copy"),i&&!this.own&&this.thumb("positive"),i&&!this.own&&this.thumb("negative"),n&&this.canRetry&&this.button("reload",e.text("actions.retry"),this.retry,"retry")].filter(Boolean);return s.length?l`<div class="ock-actions" part="actions" role="group" aria-label=${e.text("actions.label")}>
			${s} ${this.time()}
			${this.isAsking?this.question():u}
			<span class="ock-hidden" role="status">${this.isCopied?e.text("actions.copied"):u}</span>
			<span class="ock-failed" role="alert">${this.failure||u}</span>
		</div>`:u}button(t,e,i,n){return l`<button
			class="ock-icon-button"
			type="button"
			part=${`action ${n}`}
			aria-label=${e}
			title=${e}
			@click=${i}
		>
			${v(t)}
		</button>`}thumb(t){let{chat:e}=this,i=e.words.text(`actions.${t}`);return l`<button
			class="ock-icon-button"
			type="button"
			part=${`action feedback ${t}`}
			aria-label=${i}
			aria-pressed=${this.given===t}
			title=${i}
			@click=${()=>this.rate(t)}
		>
			${v(bg[t])}
		</button>`}question(){let{words:t}=this.chat;return l`<span class="ock-asking" role="group" aria-label=${t.text("actions.retryLater")}>
			${t.text("actions.retryLater")}
			<button class="ock-push" type="button" @click=${this.retryNow}>${t.text("actions.retry")}</button>
			<button class="ock-push" type="button" @click=${this.retryNot}>${t.text("actions.cancel")}</button>
		</span>`}time(){let{chat:t,itemIds:e}=this,i=t.conversation.get(e.at(-1)??"")?.created_at,n=i&&id(i,t.words);return n?l`<time class="ock-hour" part="time" datetime=${i} title=${n.long}>${n.short}</time>`:u}text(){return this.itemIds.map(e=>this.chat.conversation.get(e)).map(e=>e?Kl(e):"").filter(Boolean).join(`

`)}get canRetry(){let{chat:t,userId:e,own:i}=this,n=t.conversation.thread?.status?.type??"active";return!!e&&!i&&!t.status.answering&&n==="active"}get given(){return To.get(this.chat.conversation)?.get(this.itemIds.at(-1)??"")}set given(t){let{conversation:e}=this.chat,i=To.get(e)??new Map;To.set(e,i);let n=this.itemIds.at(-1)??"";t?i.set(n,t):i.delete(n),this.requestUpdate()}async copy(){this.isCopied=await cd(this.text()),this.failure=this.isCopied?"":this.chat.words.text("actions.copyFailed"),setTimeout(()=>{this.isCopied=!1,this.failure=""},vg)}async rate(t){let e=this.given;if(e!==t){this.given=t,this.failure="";try{await this.chat.feedback([...this.itemIds],t)}catch{this.given=e,this.failure=this.chat.words.text("actions.feedbackFailed")}}}retry(){this.isLast?this.retryNow():this.isAsking=!0}async retryNow(){this.isAsking=!1,this.failure="",this.closest(".ock-row")?.focus({preventScroll:!0});try{await this.chat.retry(this.userId)}catch(t){let e=t instanceof Error?t.message:"";this.failure=e||this.chat.words.text("actions.retryFailed")}}async retryNot(){this.isAsking=!1,await this.updateComplete,this.querySelector('[part~="retry"]')?.focus()}};x("ock-actions",Eo);var yg=250,ke=6,xg=0,ld=null,Co=class extends $t{constructor(){super(...arguments);this.anchor=null;this.content=()=>null;this.card=null;this.ends=new AbortController;this.showing=new AbortController}render(e){return U}update(e,[i]){return this.content=i,this.anchor||this.listen(e.element),U}disconnected(){this.hide(),this.ends.abort()}reconnected(){this.anchor&&this.listen(this.anchor)}listen(e){this.anchor=e,this.ends=new AbortController;let{signal:i}=this.ends,n=(o,s)=>e.addEventListener(o,s,{signal:i});n("pointerenter",()=>this.later(()=>{this.show()})),n("pointerleave",()=>this.later(()=>this.hide())),n("focus",()=>e.matches(":focus-visible")&&void this.show()),n("blur",()=>this.hide()),n("click",()=>e.localName==="button"?void this.show():this.hide()),n("keydown",o=>{o.key!=="Escape"||!this.card||(o.stopPropagation(),this.hide())})}later(e){clearTimeout(this.timer),this.timer=setTimeout(e,yg)}async show(){clearTimeout(this.timer);let{anchor:e}=this;if(this.card||!e)return;ld?.hide(),ld=this;let i=this.card=document.createElement("div"),n=await Promise.resolve(this.content()).catch(()=>null);if(n==null||this.card!==i||!e.isConnected){this.card===i&&(this.card=null);return}i.className="ock-card",i.id=`ock-card-${++xg}`,i.setAttribute("part","card"),i.setAttribute("role","tooltip"),i.popover="manual",i.addEventListener("pointerenter",()=>clearTimeout(this.timer)),i.addEventListener("pointerleave",()=>this.later(()=>this.hide())),Ke(n,i),e.after(i),e.setAttribute("aria-describedby",i.id),i.showPopover?.(),So(i,e);let o=new ResizeObserver(()=>So(i,e));o.observe(i),this.showing=new AbortController;let{signal:s}=this.showing;s.addEventListener("abort",()=>o.disconnect());let a=()=>$g(e)?So(i,e):this.hide();for(let c of[window,e.getRootNode()])c.addEventListener("scroll",a,{signal:s,capture:!0})}hide(){clearTimeout(this.timer),this.showing.abort(),this.card?.remove(),this.card=null,this.anchor?.removeAttribute("aria-describedby")}};function $g(r){let{top:t,bottom:e}=r.getBoundingClientRect(),i=r.closest(".ock-reel")?.getBoundingClientRect();return e>(i?.top??0)&&t<(i?.bottom??innerHeight)}function So(r,t){let{left:e,top:i,bottom:n}=t.getBoundingClientRect(),{offsetWidth:o,offsetHeight:s}=r,a=n+ke+s>innerHeight&&i-ke-s>0;r.style.top=`${a?i-ke-s:n+ke}px`,r.style.left=`${Math.max(ke,Math.min(e,innerWidth-o-ke))}px`}var ai=H(Co);function pd({id:r,title:t,icon:e,group:i,data:n,interactive:o}){return{id:r??"",title:t,...e?{icon:e}:{},...i?{group:i}:{},interactive:o??!1,data:n??{}}}var Ao=class extends b{static{this.properties={...b.properties,entity:{attribute:!1},label:{attribute:!1},number:{attribute:!1},isLong:{attribute:!1}}}render(){let{chat:t,entity:e,label:i,number:n}=this,o=i||(e.icon?v(e.icon):n),s=n&&!this.isLong?t.words.text("sources.one",{number:n,title:e.title}):void 0,a=l`${this.isLong?l`<span class="ock-number">${n}</span>`:u}
			${i&&e.icon?v(e.icon):u}<span dir="auto">${o}</span>`,{onClick:c,onRequestPreview:d}=t.options.entities??{};return!!!(e.interactive&&(c||d))&&!n?l`<span class="ock-entity">${a}</span>`:l`<button
			class="ock-entity"
			type="button"
			aria-label=${s??u}
			@click=${()=>e.interactive&&c?.(pd(e))}
			${ai(()=>Tg(e,t))}
		>
			${a}
		</button>`}};async function Tg(r,t){let e=await Eg(r,t).catch(()=>null);return e?l`<ock-widget .chat=${t} .root=${e}></ock-widget>`:!r.label&&!r.icon&&!r.description&&!r.group?null:l`
		<div class="ock-card-head">${v(r.icon)}
			<span dir="auto">${[r.label,r.group].filter(Boolean).join(" · ")}</span>
		</div>
		<strong dir="auto">${r.title}</strong>
		${r.description?l`<p dir="auto">${r.description}</p>`:u}
	`}var dd=new WeakMap;async function Eg(r,t){let{onRequestPreview:e}=t.options.entities??{};if(!r.interactive||!e)return null;let i=dd.get(e)??new Map;dd.set(e,i);let n=r.id??r.title;if(!i.has(n)){let o=Promise.resolve(e(pd(r)));i.set(n,o.then(s=>s?.preview??null)),o.catch(()=>i.delete(n))}return i.get(n)}x("ock-entity",Ao);function ud({type:r,url:t,filename:e,id:i,title:n}){return JSON.stringify([r,t??e??i??n])}var ci=class{constructor(t){this.found=new Map;for(let{annotations:e}of t)for(let{source:i}of hd(e))this.add(i)}get all(){return[...this.found.values()]}marks(t,e){let i=new Map;for(let{source:n,index:o}of hd(t)){let s=this.found.get(ud(n));if(typeof o!="number"||!s)continue;let a=Math.max(0,Math.min(Math.floor(o),e.length));i.set(`${a} ${s.number}`,{...s,index:a})}return[...i.values()].sort((n,o)=>n.index-o.index)}add(t){let e=ud(t);this.found.has(e)||this.found.set(e,{number:this.found.size+1,source:t})}};function hd(r){let t=({index:e})=>e??Number.POSITIVE_INFINITY;return(r??[]).filter(e=>typeof e?.source?.type=="string").sort((e,i)=>t(e)===t(i)?0:t(e)-t(i))}function li({type:r,url:t}){return r==="url"?ot(t):null}function Fe(r){return r.type==="file"?r.filename??"":r.type==="entity"?r.label??r.group??"":r.attribution?r.attribution:Sg(r.url)}function Sg(r){try{return new URL(r??"").hostname.replace(/^www\./,"")}catch{return""}}var md={url:"globe",file:"document",entity:"info"},Ro=class extends b{static{this.properties={...b.properties,source:{attribute:!1},number:{attribute:!1},isLong:{attribute:!1}}}render(){let{chat:t,source:e,isLong:i}=this;if(e.type==="entity")return l`<ock-entity
				.chat=${t}
				.entity=${e}
				.label=${i?e.title:e.inline_label??""}
				.number=${this.number}
				.isLong=${i}
			></ock-entity>`;let n=li(e),o=i?u:t.words.text("sources.one",{number:this.number,title:e.title}),s=ai(()=>this.card());return n?l`<a
				class="ock-source"
				href=${n}
				target="_blank"
				rel="noopener noreferrer"
				aria-label=${o}
				${s}
				>${this.face()}</a
			>`:l`<button class="ock-source" type="button" aria-label=${o} ${s}>${this.face()}</button>`}face(){let{source:t,number:e,isLong:i}=this;return i?l`<span class="ock-number">${e}</span>
			${v(md[t.type]??"info")}
			<span class="ock-name" dir="auto">${t.title}</span>
			<span class="ock-origin" dir="auto">${Fe(t)}</span>`:e}card(){let{title:t,description:e,timestamp:i,type:n,group:o}=this.source,s=[Fe(this.source),o].filter(Boolean).join(" · ");return l`<div class="ock-card-head">${v(md[n]??"info")} <span dir="auto">${s}</span></div>
			<strong dir="auto">${t}</strong>
			${e?l`<p dir="auto">${e}</p>`:u}
			${i?l`<p class="ock-origin">${Cg(i,this.chat.words)}</p>`:u}`}};function Cg(r,t){return/^\d{4}-\d\d-\d\d/.test(r)&&!Number.isNaN(Date.parse(r))?t.date(r,{dateStyle:"long"}):r}x("ock-source",Ro);var Oo=class extends b{constructor(){super(...arguments);this.marks=new Map}static{this.properties={...b.properties,item:{attribute:!1},isOpen:{attribute:!1}}}render(){let{chat:e,isOpen:i}=this,{content:n}=this.item,o=new ci(n);return l`
			${n.map((s,a)=>l`<ock-markdown
					part="message assistant"
					.chat=${e}
					.value=${s.text??""}
					.streaming=${i&&a===n.length-1}
					.options=${this.options(s,a,o)}
				></ock-markdown>`)}
			${o.all.length?this.list(o.all):u}
		`}options({annotations:e,text:i},n,o){return{marks:o.marks(e,i??"").map(({index:a,...c})=>this.mark(n,a,c))}}mark(e,i,{number:n,source:o}){let s=`${e} ${i} ${n}`,a=this.marks.get(s)??{index:i,node:document.createElement("ock-source")};return this.marks.set(s,a),a.node.className="ock-mark",a.node.setAttribute("part","citation"),Object.assign(a.node,{chat:this.chat,source:o,number:n}),a}list(e){let{chat:i}=this;return l`<ol class="ock-sources" part="sources" aria-label=${i.words.text("sources.label")}>
			${e.map(({number:n,source:o})=>l`<li>
					<ock-source
						part="source"
						.chat=${i}
						.source=${o}
						.number=${n}
						.isLong=${!0}
					></ock-source>
				</li>`)}
		</ol>`}};x("ock-assistant-message",Oo);var Po=class extends b{static{this.properties={...b.properties,item:{attribute:!1}}}render(){let{name:t,status:e}=this.item,i=e==="pending";return l`<p class="ock-aside" part="client-tool" data-status=${e}>
			${v(i?"tool":"check")}
			<span>${this.chat.words.text(i?"tool.pending":"tool.completed",{name:Ag(t)})}</span>
		</p>`}};function Ag(r){return String(r??"").replace(/[_-]+/g," ").replace(/([a-z])([A-Z])/g,"$1 $2").trim()}x("ock-client-tool-call",Po);function Be(r,{conversation:t,options:e}){let{allowed_image_domains:i}=t.thread??{};return ne(r,[...i??[],...e.allowedImageDomains??[]])}function di(r,t,e,i){let n=document.createElement("dialog");n.className="ock-large",n.setAttribute("part","lightbox"),n.setAttribute("aria-label",e),n.addEventListener("close",()=>{n.remove(),r.focus()}),n.addEventListener("click",()=>n.close()),Ke(l`<button class="ock-icon-button" type="button" aria-label=${i.words.text("items.close")}>
				${v("close")}
			</button>
			<img src=${t} alt=${e} />`,n);let o=r.getRootNode();(o instanceof ShadowRoot?o:document.body).append(n),n.showModal()}function pi(r,t){let e=document.createElement("a");e.href=r,e.download=t,e.click()}var zo=class extends b{static{this.properties={...b.properties,item:{attribute:!1},isOpen:{attribute:!1},failed:{state:!0}}}constructor(){super(),this.failed=null}render(){let{item:t,chat:e,isOpen:i}=this,{image:n}=t,o=n?Be(n.url,e):null,s=e.words.text(vo(i,!!n));return n&&!o?this.refused(n.url):!n&&!i?l`<p class="ock-aside" part="image">${v("image")} ${s}</p>`:o&&o===this.failed?l`<p class="ock-aside" part="image">${v("image")} ${e.words.text("image.failed")}</p>`:l`<figure class="ock-image" part="image" ?data-open=${i}>
			${o?this.picture(o,s):l`<div class="ock-picture" aria-hidden="true"></div>`}
			${i?this.progress(s):this.buttons(o)}
		</figure>`}picture(t,e){let{chat:i,isOpen:n}=this,o=l`<img
			src=${t}
			alt=${e}
			@error=${()=>{this.failed=t}}
		/>`;if(n)return l`<div class="ock-picture">${o}</div>`;let s=i.words.text("image.larger");return l`<button
			class="ock-picture"
			type="button"
			aria-label=${`${e}. ${s}`}
			@click=${a=>di(a.currentTarget,t,e,i)}
		>
			${o}
		</button>`}progress(t){let{progress:e}=this.item,i=typeof e=="number"?Math.round(Math.max(0,Math.min(1,e))*100):null;return l`<figcaption>
			<span>${t}${i===null?u:l` <span aria-hidden="true">${i} %</span>`}</span>
			<span
				class="ock-meter"
				role="progressbar"
				aria-label=${t}
				aria-valuemin="0"
				aria-valuemax="100"
				aria-valuenow=${i??u}
				?data-unknown=${i===null}
			>
				<span ${T({"inline-size":i===null?null:`${i}%`})}></span>
			</span>
		</figcaption>`}buttons(t){let{words:e}=this.chat,i=e.text("image.download");return l`<button
			class="ock-icon-button ock-over"
			type="button"
			part="download"
			aria-label=${i}
			title=${i}
			@click=${()=>pi(t,Rg(this.item.image.id,t))}
		>
			${v("download")}
		</button>`}refused(t){let{words:e}=this.chat,i=ot(t);return l`<p class="ock-aside" part="image">
			${v("image")} <span>${e.text("image.refused")}</span>
			${i&&/^https?:/.test(i)?l`<a href=${i} target="_blank" rel="noopener noreferrer">${e.text("image.open")}</a>`:u}
		</p>`}};function Rg(r,t){let e=/^data:image\/(\w+)/.exec(t)?.[1]??/\.(\w{3,4})(?:[?#]|$)/.exec(t)?.[1]??"png";return`${r}.${e.replace("jpeg","jpg")}`}x("ock-generated-image",zo);var ui={chosen:[],text:"",isSkipped:!1};function fd({type:r,multiple:t},{chosen:e,text:i}){let n=i.trim(),o=r==="freeform"?[n]:[...e,n],s=[...new Set(o.filter(Boolean))];return r==="multiple_choice"&&!t?s.slice(-1):s}function gd(r,t,e,i){let n=r.multiple?t.chosen.filter(s=>s!==e):[],o=r.multiple||!i?t.text:"";return{chosen:i?[...n,e]:n,text:o,isSkipped:!1}}function kd(r,t,e){return{chosen:r.type==="multiple_choice"&&!r.multiple&&e.trim()!==""?[]:t.chosen,text:e,isSkipped:!1}}function Mo(r,t){return r.filter(e=>{let i=t.get(e.id)??ui;return!i.isSkipped&&!fd(e,i).length}).map(({id:e})=>e)}function bd(r,t){let e=r.map(i=>{let n=t.get(i.id)??ui,o=n.isSkipped?[]:fd(i,n);return[i.id,{values:o,skipped:!o.length}]});return Object.fromEntries(e)}var Og=0,Lo=class extends b{constructor(){super();this.formId=`ock-form-${++Og}`;this.drafts=new Map,this.wrong=[],this.isSending=!1,this.failure=null}static{this.properties={...b.properties,item:{attribute:!1},drafts:{state:!0},wrong:{state:!0},isSending:{state:!0},failure:{state:!0}}}topics(){return["status","thread"]}render(){let{item:e,chat:i}=this;if(e.status!=="pending")return this.answered();let n=this.isSending||i.status.answering;return l`<form class="ock-questions" part="questions" novalidate aria-busy=${this.isSending} @submit=${this.submit}>
			${e.inputs.map(o=>this.question(o,n))}
			${this.failure?l`<p class="ock-failed" role="alert">${this.failure}</p>`:u}
			<div class="ock-buttons">
				<button class="ock-push" data-primary type="submit" part="submit" ?disabled=${n}>
					${i.words.text("questions.submit")}
				</button>
				<button class="ock-push" type="button" part="skip" ?disabled=${n} @click=${this.skip}>
					${i.words.text(e.inputs.length>1?"questions.skipAll":"questions.skip")}
				</button>
			</div>
		</form>`}answered(){let{item:e,chat:i}=this;return l`<dl class="ock-answers" part="answers" data-status=${e.status}>
			${e.inputs.map(({question:n,answer:o})=>{let s=e.status==="skipped"||o?.skipped?[]:o?.values??[];return l`<div>
					<dt dir="auto">${n}</dt>
					${s.length?s.map(a=>l`<dd dir="auto">${a}</dd>`):l`<dd class="ock-skipped">${i.words.text("questions.skipped")}</dd>`}
				</div>`})}
		</dl>`}question(e,i){let n=this.idOf(e),o=this.wrong.includes(e.id),{description:s}=e,a=[s&&`${n}-about`,o&&`${n}-wrong`].filter(Boolean).join(" "),c=this.draft(e),d=e.type==="multiple_choice"?this.choices(e,a):this.text(e,a);return l`<fieldset
			class="ock-ask"
			part="question"
			data-question=${e.id}
			?data-wrong=${o}
			?data-skipped=${c.isSkipped}
			?disabled=${i}
			aria-describedby=${a||u}
		>
			<legend id="${n}-label" dir="auto">${e.question}</legend>
			${s?l`<p class="ock-about" id="${n}-about" dir="auto">${s}</p>`:u}
			${d}
			${o?l`<p class="ock-failed" id="${n}-wrong">
						${v("danger")} ${this.chat.words.text("questions.missing")}
					</p>`:u}
			${this.item.inputs.length>1?this.skipOne(e,c):u}
		</fieldset>`}skipOne(e,i){return l`<button
			class="ock-link"
			type="button"
			aria-pressed=${i.isSkipped}
			@click=${()=>this.set(e,{...i,isSkipped:!i.isSkipped})}
		>
			${this.chat.words.text(i.isSkipped?"questions.skippedOne":"questions.skip")}
			<span class="ock-hidden">${e.question}</span>
		</button>`}choices(e,i){let n=this.draft(e),o=e.multiple?"checkbox":"radio",s=this.idOf(e);return l`
			${(e.options??[]).map(({value:a})=>l`<label class="ock-choice">
					<input
						type=${o}
						name=${s}
						.checked=${te(n.chosen.includes(a))}
						@change=${({target:c})=>this.set(e,gd(e,this.draft(e),a,c.checked))}
					/>
					<span dir="auto">${a}</span>
				</label>`)}
			<input
				class="ock-answer-field"
				type="text"
				dir="auto"
				aria-label=${`${e.question} – ${this.chat.words.text("questions.other")}`}
				aria-describedby=${i||u}
				placeholder=${this.chat.words.text("questions.other")}
				.value=${te(n.text)}
				@input=${a=>this.write(e,a)}
			/>
		`}text(e,i){return l`<textarea
			class="ock-answer-field"
			rows="2"
			dir="auto"
			aria-labelledby="${this.idOf(e)}-label"
			aria-describedby=${i||u}
			aria-invalid=${this.wrong.includes(e.id)}
			.value=${te(this.draft(e).text)}
			@input=${n=>this.write(e,n)}
			@keydown=${this.enter}
		></textarea>`}idOf({id:e}){return`${this.formId}-${this.item.inputs.findIndex(i=>i.id===e)}`}draft({id:e}){return this.drafts.get(e)??ui}set(e,i){this.drafts=new Map(this.drafts).set(e.id,i),this.wrong.length&&(this.wrong=Mo(this.item.inputs,this.drafts))}write(e,{target:i}){let{value:n}=i;this.set(e,kd(e,this.draft(e),n))}enter(e){e.key==="Enter"&&(e.ctrlKey||e.metaKey)&&this.submit(e)}async submit(e){e.preventDefault(),this.wrong=Mo(this.item.inputs,this.drafts);let i=this.item.inputs.find(({id:s})=>this.wrong.includes(s));if(!i)return this.send("answered");await this.updateComplete;let n=this.item.inputs.indexOf(i);this.querySelectorAll(".ock-ask")[n]?.querySelector("input, textarea")?.focus()}skip(){return this.send("skipped")}async send(e){let{chat:i,item:n}=this;if(!(this.isSending||i.status.answering)){ge(this)&&this.closest(".ock-row")?.focus({preventScroll:!0}),this.isSending=!0,this.failure=null;try{let o=e==="answered"?bd(n.inputs,this.drafts):{};await i.answer(n,o,e)}catch(o){let s=o instanceof Error?o.message:"";this.failure=s||i.words.text("questions.failed")}finally{this.isSending=!1}}}};x("ock-structured-input",Lo);var Pg={web_search:"globe",thought:"lightbulb",file:"document",image:"image"},zg={web_search:"task.web_search",thought:"task.thought",file:"task.file",image:"task.image"};function Do(r,t){return r.title?r.title:r.title_query?t.words.text("task.search_for",{query:r.title_query}):t.words.text(zg[r.type]??"task.custom")}var Io=class extends b{static{this.properties={...b.properties,task:{attribute:!1},isRunning:{attribute:!1},isPart:{attribute:!1}}}render(){let{task:t,isPart:e}=this,i=this.details(),n=l`${this.mark()} <span class="ock-name" dir="auto">${Do(t,this.chat)}</span>
			${this.state()}`;return e||i===u?l`<div class="ock-step" part="task" data-task=${t.type}>
				<p class="ock-step-head">${n}</p>
				${i}
			</div>`:l`<details class="ock-step" part="task" data-task=${t.type}>
			<summary class="ock-step-head">${n}<span class="ock-turn">${v("chevron-right")}</span></summary>
			${i}
		</details>`}mark(){let{task:t,isRunning:e,isPart:i}=this,n=i?t.status_indicator:"none";return n==="loading"&&e?l`<span class="ock-spinner" aria-hidden="true"></span>`:n==="complete"?l`<span class="ock-done">${v("check")}</span>`:l`<span class="ock-mark-icon">${v(t.icon??Pg[t.type]??"chevron-right")}</span>`}state(){let{task:t,isRunning:e,isPart:i,chat:n}=this;return i?t.status_indicator==="loading"&&e?l`<span class="ock-hidden">${n.words.text("task.loading")}</span>`:t.status_indicator==="complete"?l`<span class="ock-hidden">${n.words.text("task.complete")}</span>`:u:u}details(){let{content:t,queries:e,sources:i}=this.task;return!t&&!e?.length&&!i?.length?u:l`<div class="ock-step-body">
			${t?l`<ock-markdown .chat=${this.chat} .value=${t} .streaming=${this.isRunning}></ock-markdown>`:u}
			${e?.length?l`<ul class="ock-queries">
						${e.map(n=>l`<li dir="auto">${v("search")} ${n}</li>`)}
					</ul>`:u}
			${i?.length?l`<ul class="ock-found">
						${i.map(n=>l`<li>${Mg(n)}</li>`)}
					</ul>`:u}
		</div>`}};function Mg(r){let t=li(r),e=l`${v(r.type==="file"?"document":"globe")}
		<bdi class="ock-name">${r.title}</bdi> <bdi class="ock-origin">${Fe(r)}</bdi>`,{description:i}=r,n=i?l`<p class="ock-about" dir="auto">${i}</p>`:u;return t?l`<a href=${t} target="_blank" rel="noopener noreferrer">${e}</a>${n}`:l`<span>${e}</span>${n}`}x("ock-task",Io);var Lg=[["hour",3600],["minute",60],["second",1]];function _o(r,t){let e=Math.max(0,Math.round(Number.isFinite(r)?r:0)),i=[];for(let[n,o]of Lg){let s=Math.floor(e/o);e-=s*o,(s>0||n==="second"&&!i.length)&&i.length<2&&i.push(Ig(s,n,t))}return i.join(" ")}function Ig(r,t,e){let i={style:"unit",unit:t,unitDisplay:"short"};return new Intl.NumberFormat(e.locale,i).format(r)}function vd(r,t){let e=new Date(r).valueOf();return e<=t&&t-e<864e5?e:t}var Dg=0,No=class extends b{constructor(){super();this.began=0;this.bodyId=`ock-workflow-${++Dg}`;this.choice=null,this.seconds=0}static{this.properties={...b.properties,item:{attribute:!1},isRunning:{attribute:!1},choice:{state:!0},seconds:{state:!0}}}connectedCallback(){super.connectedCallback(),this.tick()}disconnectedCallback(){super.disconnectedCallback(),clearInterval(this.clock),this.clock=void 0}updated(e){(e.has("isRunning")||e.has("item"))&&this.tick()}tick(){if(!this.isRunning||!this.item){clearInterval(this.clock),this.clock=void 0;return}this.began||=vd(this.item.created_at,Date.now());let e=()=>{this.seconds=Math.floor((Date.now()-this.began)/1e3)};e(),this.clock??=setInterval(e,1e3)}get isExpanded(){return this.choice??this.item.workflow.expanded??!1}render(){let{item:e,isExpanded:i,isRunning:n}=this,{tasks:o=[],type:s}=e.workflow;return l`<section class="ock-workflow" part="workflow" data-workflow=${s} ?data-running=${n}>
			<button
				class="ock-workflow-head"
				type="button"
				part="workflow-summary"
				aria-expanded=${i}
				aria-controls=${this.bodyId}
				?disabled=${!o.length}
				@click=${()=>{this.choice=!i}}
			>
				${this.head()}
				${o.length?l`<span class="ock-turn">${v("chevron-right")}</span>`:u}
			</button>
			<ol id=${this.bodyId} class="ock-tasks" part="tasks" ?hidden=${!i||!o.length}>
				${i?o.map((a,c)=>l`<li data-state=${a.status_indicator??"none"}>
								<ock-task
									.chat=${this.chat}
									.task=${a}
									.isPart=${!0}
									.isRunning=${n&&(c===o.length-1||a.status_indicator==="loading")}
								></ock-task>
							</li>`):u}
			</ol>
		</section>`}head(){let{chat:e,item:i,isRunning:n}=this,{summary:o,type:s,tasks:a=[]}=i.workflow;if(n&&!o)return l`<span class="ock-spinner" aria-hidden="true"></span>
				<span class="ock-name ock-busy" dir="auto">${this.current()}</span>
				${this.seconds>1?l`<span class="ock-seconds" aria-hidden="true">${_o(this.seconds,e.words)}</span>`:u}`;let c=v(o?.icon??(s==="reasoning"?"lightbulb":"check")),d=o?.title??(o?.duration?e.words.text(s==="reasoning"?"workflow.thoughtFor":"workflow.workedFor",{time:_o(o.duration,e.words)}):e.words.text(s==="reasoning"?"workflow.thought":"workflow.steps",{count:a.length}));return l`<span class="ock-mark-icon">${c}</span><span class="ock-name" dir="auto">${d}</span>`}current(){let{tasks:e=[],type:i}=this.item.workflow,n=e.findLast(s=>s.status_indicator==="loading")??e.at(-1);return n&&(n.title||n.type!=="thought")?Do(n,this.chat):this.chat.words.text(i==="reasoning"?"workflow.thinking":"workflow.working")}};x("ock-workflow",No);var qo=class extends b{static{this.properties={...b.properties,attachment:{attribute:!1},state:{state:!0}}}constructor(){super(),this.state="idle"}render(){let{chat:t,attachment:e,state:i}=this,{name:n}=e,{words:o}=t,s=e.type==="image"?Be(e.preview_url,t):null;return l`<div class="ock-attachment" part="attachment" ?data-image=${s}>
			${s?l`<button
						class="ock-thumb"
						type="button"
						aria-label=${o.text("items.larger",{name:n})}
						@click=${this.enlarge}
					>
						<img src=${s} alt=${n} loading="lazy" />
					</button>`:l`${v(e.type==="image"?"image":"document")}
						<span class="ock-file-label"><bdi class="ock-name">${n}</bdi><small>${_g(e)}</small></span>`}
			<button
				class="ock-icon-button"
				type="button"
				part="download"
				aria-label=${o.text("items.download",{name:n})}
				title=${o.text("items.download",{name:n})}
				aria-busy=${i==="loading"}
				@click=${this.download}
			>
				${v("download")}
			</button>
			<span class="ock-failed" role="status">${i==="failed"?o.text("items.downloadFailed"):u}</span>
		</div>`}enlarge(t){let e=Be(this.attachment.preview_url,this.chat);e&&di(t.currentTarget,e,this.attachment.name,this.chat)}async download(){if(this.state!=="loading"){this.state="loading";try{let t=await this.chat.fetch(this.address());if(!t.ok)throw Error(String(t.status));let e=URL.createObjectURL(await t.blob());pi(e,this.attachment.name),setTimeout(()=>URL.revokeObjectURL(e),6e4),this.state="idle"}catch{this.state="failed"}}}address(){let{api:t}=this.chat.options,e="url"in t?t.url:"",{uploadStrategy:i}=t,n=new URL(i?.uploadUrl??e,document.baseURI);return i?.uploadUrl||(n.pathname=`${n.pathname.replace(/\/$/,"")}/attachments`),n.pathname=`${n.pathname.replace(/\/$/,"")}/${encodeURIComponent(this.attachment.id)}`,n.href}};function _g({name:r,mime_type:t}){return(/\.([a-z0-9]{1,5})$/i.exec(r??"")?.[1]??t?.split("/")[1]??"").toUpperCase()}x("ock-attachment",qo);function wd(r){let t=[[]];for(let e of r){if(e.type==="input_tag"){t.at(-1).push(e);continue}let[i="",...n]=(e.text??"").split(/\r?\n/);t.at(-1).push({type:"input_text",text:i});for(let o of n)t.push([{type:"input_text",text:o}])}return t}function yd(r,t){let{words:e}=t,{quoted_text:i,attachments:n=[],content:o}=r;return l`
		${i?l`<blockquote class="ock-quoted" part="quote" aria-label=${e.text("items.quoted")} dir="auto"
					>${i}</blockquote
				>`:u}
		${n?.length?l`<ul class="ock-attachments" part="attachments" aria-label=${e.text("items.attachments")}>
					${n.map(s=>l`<li><ock-attachment .chat=${t} .attachment=${s}></ock-attachment></li>`)}
				</ul>`:u}
		${o.some(({text:s})=>s)?l`<div class="ock-bubble" part="message user">
					${wd(o).map(s=>Ng(s,t))}
				</div>`:u}
		${Ug(r,t)}
	`}function Ng(r,t){return l`<p dir="auto">${r.map(e=>e.type==="input_tag"?qg(e,t):e.text)}</p>`}function qg({id:r,text:t,group:e,data:i,interactive:n},o){return l`<ock-entity class="ock-tagged" part="tag" .chat=${o} .entity=${{id:r,title:t,group:e,data:i,interactive:n}} .label=${t}></ock-entity>`}function Ug({inference_options:r},t){let{tools:e=[],models:i=[]}=t.options.composer??{},n=r?.tool_choice?.id,{id:o}=i.find(c=>c.default)??i[0]??{},s=r?.model===o?null:r?.model;if(!n&&!s)return u;let a=(c,d)=>d.find(p=>p.id===c)?.label??c;return l`<p class="ock-choices" part="choices">
		${n?l`<span>${t.words.text("items.tool",{name:a(n,e)})}</span>`:u}
		${s?l`<span>${t.words.text("items.model",{name:a(s,i)})}</span>`:u}
	</p>`}var Uo=class extends b{constructor(){super(...arguments);this.told=null}static{this.properties={...b.properties,itemId:{attribute:!1}}}topics(){return[`item:${this.itemId}`,"options"]}willUpdate(e){(e.has("itemId")||e.has("chat"))&&this.listen()}render(){let{chat:e,itemId:i}=this,n=e.conversation.get(i);return n?(this.dataset.type=n.type,l`<slot name="before-${i}"></slot
			><slot name="item-${i}">${qe(n)?Hg(n,e,e.conversation.isOpen(i)):xd(n,e)}</slot
			><slot name="after-${i}"></slot>`):u}updated(){let{chat:e,itemId:i}=this,n=e.conversation.get(i);!n||i===this.told||pt(i)||(this.told=i,e.emit("open-chatkit.item",{id:i,type:n.type}))}};function Hg(r,t,e){switch(r.type){case"user_message":return yd(r,t);case"assistant_message":return l`<ock-assistant-message
				.chat=${t}
				.item=${r}
				.isOpen=${e}
			></ock-assistant-message>`;case"widget":return l`<ock-widget
				part="widget"
				.chat=${t}
				.item=${r}
				.root=${r.widget}
			></ock-widget>`;case"generated_image":return l`<ock-generated-image
				.chat=${t}
				.item=${r}
				.isOpen=${e}
			></ock-generated-image>`;case"structured_input":return l`<ock-structured-input .chat=${t} .item=${r}></ock-structured-input>`;case"client_tool_call":return l`<ock-client-tool-call .chat=${t} .item=${r}></ock-client-tool-call>`;case"task":return l`<ock-task .chat=${t} .task=${r.task} .isRunning=${e}></ock-task>`;case"workflow":return l`<ock-workflow .chat=${t} .item=${r} .isRunning=${e}></ock-workflow>`;case"end_of_turn":return u;default:return xd(r,t)}}function xd({type:r},t){return l`<p class="ock-aside" part="unknown">
		${v("circle-question")} ${t.words.text("items.unknown",{type:String(r)})}
	</p>`}x("ock-item",Uo);function $d(r,t){let e=t.words.text(r.speaker==="user"?"items.you":"items.assistant");return l`<article
		class="ock-row"
		part="row ${r.speaker}"
		data-key=${r.key}
		data-item=${r.id}
		data-speaker=${r.speaker}
		?data-begins=${r.begins}
		?data-sending=${pt(r.id)}
		tabindex="-1"
		aria-label=${e}
	>
		${r.day?l`<p class="ock-day" part="day">${rd(r.day,t.words)}</p>`:u}
		${r.begins?l`<h2 class="ock-hidden">${e}</h2>`:u}
		<ock-item .chat=${t} .itemId=${r.id}></ock-item>
		${Fg(r,t)}
	</article>`}function Td(r){return l`<div class="ock-gap" ${T({"block-size":`${r}px`})}></div>`}function Ed(r,t,e){return l`<div class="ock-older">
		<button class="ock-link" type="button" part="older" @click=${t}>
			${e.text(r?"transcript.olderFailed":"transcript.older")}
		</button>
	</div>`}function Fg({speaker:r,id:t,ends:e},i){return r==="user"?pt(t)?u:l`<ock-actions .chat=${i} .own=${!0} .itemIds=${[t]}></ock-actions>`:!e||e.isWaiting||e.isLast&&i.status.answering?u:l`<ock-actions
		.chat=${i}
		.itemIds=${e.itemIds}
		.userId=${e.userId}
		.isLast=${e.isLast}
	></ock-actions>`}var hi=class{constructor(t,e){this.box=t;this.room=e;this.atEnd=!0;this.anchors=[];this.last=0;this.held=null}get distance(){let{box:t,room:e}=this;return e.getBoundingClientRect().top-t.getBoundingClientRect().top-t.clientHeight}scrolled(){let{scrollTop:t}=this.box;t!==this.last&&(this.atEnd=this.distance<=(t<this.last?0:40),this.note())}hold(t){this.held={anchor:{node:t,top:this.topOf(t)},until:performance.now()+500}}keep(t){let e=this.held&&performance.now()<this.held.until?this.held.anchor:null;if(!e&&t&&this.atEnd)return this.toEnd();let i=[e,...this.anchors].find(n=>n?.node.isConnected);if(i){let n=this.topOf(i.node)-i.top;Math.abs(n)>=.5&&(this.box.scrollTop+=n)}this.atEnd&&=this.distance<=40,this.note()}toEnd(){this.atEnd=!0,this.box.scrollTop=this.box.scrollHeight,this.note()}to(t){this.box.scrollTop=t,this.atEnd=this.distance<=40,this.note()}note(){this.last=this.box.scrollTop;let t=this.box.getBoundingClientRect().top,e=Bg(t,this.box),i=[e,e?.closest(".ock-row")];this.anchors=i.flatMap(n=>n?[{node:n,top:this.topOf(n)}]:[])}topOf(t){return t.getBoundingClientRect().top-this.box.getBoundingClientRect().top}};function Bg(r,t){let e=[...t.querySelectorAll(".ock-row")],i=Sd(e,r);for(let n=0;i&&n<12;n++){if(i.getBoundingClientRect().top>=r)return i;let o=Sd(i.children,r);if(!o)return i;i=o}return i}function Sd(r,t){let[e,i]=[0,r.length];for(;e<i;){let n=e+i>>1;r[n].getBoundingClientRect().bottom>t?i=n:e=n+1}return r[e]??null}var mi=class{constructor(){this.key=null;this.isGoing=!1}begin(t){this.key=t,this.isGoing=!0}forget(){this.key=null,this.isGoing=!1}makeRoom(t){let e=this.row(t),i=t.querySelector(".ock-room");if(!i||this.key&&!e)return;let n=e?i.getBoundingClientRect().top-this.top(e,t):1/0,o=Math.max(0,t.clientHeight-n);Math.abs(i.offsetHeight-o)>=1&&(i.style.blockSize=`${o}px`)}show(t,e,i){let n=this.row(t);n&&e.to(t.scrollTop+this.top(n,t)-t.getBoundingClientRect().top),this.isGoing=i.has(this.key)&&!i.isMeasured(this.key)}row(t){return this.key?t.querySelector(`[data-key="${CSS.escape(this.key)}"]`):null}top(t,e){let{top:i,bottom:n}=t.getBoundingClientRect();return Math.max(i-12,n-e.clientHeight*.6)}};var Wg=30,Cd=4,Ad=200,jg=1.5,Kg=80,Rd=1500,Fo=class extends b{constructor(){super();this.shown=null;this.items=null;this.rows=[];this.places=new Map;this.layout=new He;this.keys=new Ue;this.kept=new Set;this.sent=new mi;this.shift=0;this.openedUntil=0;this.isLoadingOlder=!1;this.scroller=null;this.frame=0;this.hadFocus=!1;this.sizes=new ResizeObserver(e=>this.resized(e));this.observed=new Set;this.touching={handleEvent:()=>this.touched(),passive:!0};this.takeBox=e=>{this.box=e,this.scroller=null};this.range={from:0,to:0},this.isAway=!1,this.olderFailed=!1}static{this.properties={...b.properties,range:{state:!0},isAway:{state:!0},olderFailed:{state:!0}}}topics(){return["thread","items","status","options"]}connectedCallback(){super.connectedCallback(),ed(this.chat.words),this.observe()}disconnectedCallback(){super.disconnectedCallback(),cancelAnimationFrame(this.frame),this.frame=0,this.sizes.disconnect(),this.observed.clear()}willUpdate(e){super.willUpdate(e),this.hadFocus=!!(this.box&&ge(this.box));let{conversation:i}=this.chat;i!==this.shown&&this.reset(i),i.items!==this.items&&this.take(i),this.range=this.next()}reset(e){this.shown=e,this.items=null,this.layout=new He,this.keys=new Ue,this.kept.clear(),this.sent.forget(),this.rows=[],this.places.clear(),this.shift=0,this.olderFailed=!1,this.openedUntil=performance.now()+Rd,this.range={from:0,to:0},this.scroller&&(this.scroller.atEnd=!0)}take(e){this.rows.length||(this.openedUntil=performance.now()+Rd);let i=this.rows[this.layout.at((this.box?.scrollTop??0)-this.listTop)]?.key,n=this.placeOf(i),o=this.layout.top(n),s=this.keys.update(e.items);this.items=e.items,this.rows=Ql(e.items,this.keys),this.layout.setKeys(this.rows.map(({key:d})=>d)),this.places=new Map(this.rows.map(({key:d},p)=>[d,p])),s&&(this.sent.begin(s),this.openedUntil=0);let a=this.placeOf(i),c=a-n;a<0||!c||(this.shift=this.layout.top(a)-o,this.range={from:this.range.from+c,to:this.range.to+c})}next(){let{layout:e}=this,i=this.seen(Ad),n={step:Cd,fromEnd:this.isAtEnd},o=nd(this.range,i,od(i,Wg,e.count),n),s=Math.min(o.to,e.count);return{from:Math.min(o.from,s),to:s}}get isAtEnd(){return this.sent.isGoing||this.scroller?.atEnd!==!1}seen(e){let{box:i,layout:n}=this,o=i?.clientHeight||800;if(this.isAtEnd)return n.between(n.total-o-e,n.total);let s=i.scrollTop-this.listTop+this.shift;return n.between(s-e,s+o+e)}get listTop(){return this.querySelector(".ock-rows")?.offsetTop??0}render(){let{chat:e}=this,{status:i,words:n}=e;return l`
			<div
				class="ock-reel"
				part="scroller"
				role="log"
				aria-live="off"
				aria-label=${n.text("transcript.label")}
				aria-busy=${i.loading}
				aria-keyshortcuts="Alt+ArrowUp Alt+ArrowDown"
				tabindex="0"
				${Jt(this.takeBox)}
				@scroll=${this.scrolled}
				@wheel=${this.touching}
				@touchmove=${this.touching}
				@pointerdown=${this.pressed}
				@keydown=${this.key}
				@click=${this.clicked}
				@input=${this.edited}
				@change=${this.edited}
			>
				${e.status.older?Ed(this.olderFailed,()=>this.loadOlder(),n):u}
				<div class="ock-rows">
					${J(this.pieces(),({key:o})=>o,({draw:o})=>o())}
				</div>
				<ock-ending .chat=${e} part="ending"></ock-ending>
				<div class="ock-room" aria-hidden="true"></div>
			</div>
			<button
				class="ock-newest"
				part="newest"
				type="button"
				?hidden=${!this.isAway}
				aria-label=${n.text("transcript.newest")}
				title=${n.text("transcript.newest")}
				@click=${this.toNewest}
			>
				${v("arrow-down")}
			</button>
			<ock-announcer .chat=${e}></ock-announcer>
		`}pieces(){let{layout:e,rows:i,range:n}=this,o=[...this.kept].map(a=>this.placeOf(a)),s=Ho(this.box&&ge(this.box));return s&&o.push(this.placeOf(s.dataset.key)),sd(n,o,e.count).map(a=>{if("gap"in a){let{from:d,to:p}=a.gap;return{key:d===0?"gap":`gap after ${i[d-1].key}`,draw:()=>Td(e.top(p)-e.top(d))}}let c=i[a.row];return{key:c.key,draw:()=>$d(c,this.chat)}})}updated(){this.observe(),this.shift=0,this.settle(),this.hadFocus&&this.box&&!ge(this.box)&&this.box.focus({preventScroll:!0}),si(this.next(),this.range)||this.again()}observe(){if(!this.box||!this.isConnected)return;let e=this.box.querySelector(".ock-room");e&&(this.scroller??=new hi(this.box,e));let i=new Set([this.box,...this.box.querySelectorAll(".ock-row, ock-ending")]);for(let n of this.observed)i.has(n)||(this.observed.delete(n),this.sizes.unobserve(n));for(let n of i)this.observed.has(n)||(this.observed.add(n),this.sizes.observe(n))}resized(e){for(let{target:i,borderBoxSize:n}of e){let o=i.dataset.key;o&&i.isConnected&&this.layout.measure(o,n[0].blockSize)}this.settle(),si(this.next(),this.range)||this.again()}settle(){let{box:e,scroller:i,sent:n}=this;!e||!i||(n.makeRoom(e),n.isGoing?n.show(e,i,this.layout):i.keep(this.follows),this.look())}get follows(){let{status:e,options:i}=this.chat;return performance.now()<this.openedUntil||!e.answering||i.thread?.autoScroll===!0}scrolled(){this.scroller?.scrolled(),this.look(),si(this.next(),this.range)||this.requestUpdate()}look(){let{box:e,scroller:i}=this;if(!e||!i)return;this.isAway=i.distance>Kg&&performance.now()>this.openedUntil;let{older:n,loading:o}=this.chat.status,s=e.scrollTop<e.clientHeight*jg;n&&!o&&s&&!this.olderFailed&&e.clientHeight&&this.loadOlder()}async loadOlder(){if(this.isLoadingOlder)return;this.isLoadingOlder=!0,this.olderFailed=!1;let{shown:e}=this;try{await this.chat.loadOlder()}catch{this.olderFailed=e===this.shown}finally{this.isLoadingOlder=!1,this.again()}}again(){this.frame||(this.frame=requestAnimationFrame(()=>{this.frame=0,this.look(),this.requestUpdate()}))}touched(){this.openedUntil=0,this.sent.isGoing=!1}pressed(e){this.touched(),this.hold(e.target)}hold(e){let i=e instanceof Element?e.closest("button, summary"):null;i&&this.scroller?.hold(i)}clicked(e){let i=e.target instanceof Element?e.target.closest("a"):null,n=i&&fr(i.getAttribute("href")??"");n&&!e.defaultPrevented&&(e.preventDefault(),this.chat.emit("chatkit.deeplink",n)),this.edited(e)}edited({target:e}){let i=Ho(e)?.dataset.key,n=e.closest("button, summary, input, select, textarea");i&&n&&this.kept.add(i)}key(e){let{target:i,key:n}=e;this.touched(),["Enter"," "].includes(n)&&this.hold(i);let o=Ho(i),a=i.matches("input, textarea, select")?null:ad(e,o!==null&&i===o);a!==null&&(e.preventDefault(),this.focusRow(this.placeAfter(a,o)))}placeAfter(e,i){return e==="first"?0:e==="last"?this.rows.length-1:i?this.placeOf(i.dataset.key)+e:this.seen(0).from+Math.min(e,0)}placeOf(e){return this.places.get(e??"")??-1}async focusRow(e){let i=this.rows[Math.max(0,Math.min(e,this.rows.length-1))];if(!i)return;let n=()=>this.querySelector(`[data-key="${CSS.escape(i.key)}"]`);n()||this.scroller?.to(this.listTop+this.layout.top(this.rows.indexOf(i)));for(let a=this.seen(Ad);!n()&&a.from<a.to;a.from+=Cd)this.requestUpdate(),await this.updateComplete;let o=n();if(!o)return;o.focus({preventScroll:!0});let s=o.offsetHeight>this.box.clientHeight;o.scrollIntoView({block:s?"start":"nearest"})}toNewest(){this.box?.focus({preventScroll:!0}),this.touched(),this.scroller?.toEnd(),this.requestUpdate()}};function Ho(r){return r instanceof Element?r.closest(".ock-row"):null}x("ock-transcript",Fo);var Bo=class extends b{static{this.properties={...b.properties,editing:{state:!0},failed:{state:!0}}}topics(){return["options","thread","history"]}render(){let{options:t,words:e,threadId:i}=this.chat,{header:n={},history:o}=t;return l`<header>
			${o?.enabled===!1?u:this.button("history",e.text("header.history"),()=>this.chat.showHistory())}
			${this.action(n.leftAction)}
			${n.title?.enabled===!1?l`<span class="ock-title"></span>`:this.heading()}
			${this.action(n.rightAction)}
			${i!==null?this.button("compose",e.text("header.new"),()=>this.begin()):u}
		</header>
		<div role="alert">${this.failed?.id===i?this.failure(this.failed):u}</div>`}failure(t){let{words:e}=this.chat,i=t.title??e.text("header.untitled");return l`<p class="ock-failed" dir="auto">${e.text("history.unchanged",{title:i})}</p>`}heading(){let{options:t,words:e,conversation:i}=this.chat,{thread:n}=i,o=t.header?.title?.text,s=o??n?.title??(n?e.text("header.untitled"):"");return this.editing&&n?l`<input class="ock-title" part="title-input" maxlength="200" .value=${n.title??""}
				aria-label=${e.text("header.title")} @keydown=${this.key} @blur=${this.save} />`:s?o!==void 0||!n||t.history?.showRename===!1?l`<h1 class="ock-title" part="title" dir="auto">${s}</h1>`:l`<h1 class="ock-title" part="title">
			<button type="button" class="ock-rename" title=${e.text("header.rename")} @click=${this.edit}>
				<span dir="auto">${s}</span>${v("write")}
			</button>
		</h1>`:l`<span class="ock-title" part="title"></span>`}button(t,e,i){return l`<button type="button" class="ock-button" part=${`button button-${t.replace("lucide:","")}`} aria-label=${e}
			title=${e} @click=${i}>${v(t)}</button>`}action(t){if(!t)return u;let e=t.label??t.icon.replace("lucide:","").replaceAll("-"," ");return this.button(t.icon,e,t.onClick)}begin(){this.chat.open(null),this.chat.composer?.focus()}async edit(){this.editing=!0,this.failed=null,await this.updateComplete,this.querySelector("input")?.select()}key(t){t.isComposing||(t.key==="Enter"?(t.preventDefault(),this.save(t)):t.key==="Escape"&&(t.stopPropagation(),this.leave()))}save(t){if(!this.editing)return;let e=t.target.value.trim(),{thread:i}=this.chat.conversation;i&&e&&e!==i.title&&this.chat.rename(i.id,e).catch(()=>{this.failed=i}),this.leave(t.type!=="blur")}async leave(t=!0){this.editing=!1,await this.updateComplete,t&&this.querySelector(".ock-rename")?.focus()}};x("ock-header",Bo);function Pd(r,t,e=new Date){let i=[];for(let n of r){let o=Vg(new Date(n.created_at),t,e),s=i.at(-1);s?.label===o?s.threads.push(n):i.push({label:o,threads:[n]})}return i}function Vg(r,t,e){let i=Math.round((Od(e)-Od(r))/864e5);return Number.isNaN(i)?t.text("history.older"):i<=1?t.days(Math.max(i,0)):i<=7?t.text("history.week"):t.date(r,{month:"long",year:"numeric"})}function Od(r){return new Date(r.getFullYear(),r.getMonth(),r.getDate()).getTime()}var Gg=20,Wo=class extends b{constructor(){super();this.opener=null;this.more=()=>{this.chat.loadThreads().catch(()=>{})};this.query="",this.renaming=null,this.deleting=null,this.gone=new Set,this.failed=null}static{this.properties={...b.properties,query:{state:!0},renaming:{state:!0},deleting:{state:!0},gone:{state:!0},failed:{state:!0}}}topics(){return["threads","thread","options"]}connectedCallback(){super.connectedCallback();let e=this.getRootNode();this.opener=e.activeElement,this.updateComplete.then(()=>this.querySelector("input")?.focus())}disconnectedCallback(){super.disconnectedCallback();let{opener:e,chat:i}=this;queueMicrotask(()=>e?.isConnected?e.focus():i.composer?.focus())}updated(){let{more:e,loading:i,error:n}=this.chat.threads;this.query&&e&&!i&&!n&&this.found().length<Gg&&this.chat.loadThreads().catch(()=>{})}render(){let{words:e}=this.chat;return l`<section role="dialog" aria-label=${e.text("history.title")} @keydown=${this.key}>
			<div class="ock-history-head">
				<h2>${e.text("history.title")}</h2>
				<button type="button" class="ock-button" aria-label=${e.text("history.close")}
					@click=${()=>this.chat.hideHistory()}>${v("close")}</button>
			</div>
			<label class="ock-search">
				${v("search")}
				<input type="search" aria-label=${e.text("history.search")} .value=${this.query}
					placeholder=${e.text("history.search")} @input=${this.search} />
			</label>
			<div role="alert">${this.failed===null?u:l`<p class="ock-failed" dir="auto">${e.text("history.unchanged",{title:this.failed})}</p>`}</div>
			<div class="ock-history-list" @scroll=${this.scrolled}>${this.list()} ${this.foot()}</div>
		</section>`}found(){let e=this.chat.threads.threads.filter(({id:n})=>!this.gone.has(n)),i=this.query.trim().toLocaleLowerCase();return i?e.filter(({title:n})=>n?.toLocaleLowerCase().includes(i)):e}list(){let{words:e}=this.chat;return Pd(this.found(),e).map(({label:i,threads:n})=>l`<h3>${i}</h3>
				<ul aria-label=${i}>
					${J(n,({id:o})=>o,o=>l`<li>${this.row(o)}</li>`)}
				</ul>`)}row(e){if(this.renaming===e.id)return this.renameField(e);if(this.deleting===e.id)return this.question(e);let{words:i,options:n,conversation:o}=this.chat,s=e.title||i.text("history.untitled"),{showRename:a=!0,showDelete:c=!0}=n.history??{},d=e.id===o.thread?.id;return l`<button type="button" class="ock-thread" part="thread" data-id=${e.id}
				aria-current=${d?"true":u} @click=${()=>this.open(e)}>
				<span dir="auto">${s}</span>
			</button>
			${a?l`<button type="button" class="ock-button" aria-label=${i.text("history.rename",{title:s})}
							@click=${()=>this.ask("renaming",e.id)}>${v("write")}</button>`:u}
			${c?l`<button type="button" class="ock-button" aria-label=${i.text("history.delete",{title:s})}
							@click=${()=>this.ask("deleting",e.id)}>${v("trash")}</button>`:u}`}renameField(e){return l`<input class="ock-rename-field" maxlength="200" .value=${e.title??""}
			aria-label=${this.chat.words.text("header.title")}
			@keydown=${i=>{i.isComposing||!["Enter","Escape"].includes(i.key)||(i.stopPropagation(),i.preventDefault(),this.rename(e,i.key==="Enter"?i.target.value:""))}}
			@blur=${i=>this.rename(e,i.target.value)} />`}question(e){let{words:i}=this.chat,n=e.title||i.text("history.untitled"),o=i.text("history.confirm",{title:n});return l`<div class="ock-question" role="group" aria-label=${o}>
			<p dir="auto">${o}</p>
			<button type="button" class="ock-danger" @click=${()=>this.deleteThread(e)}>
				${i.text("history.yes")}
			</button>
			<button type="button" data-first @click=${()=>this.back(e.id)}>
				${i.text("history.no")}
			</button>
		</div>`}foot(){let{words:e,threads:i}=this.chat,{loading:n,error:o,more:s}=i;if(o!==null)return l`<div role="alert" class="ock-foot">
				<p>${e.text("history.failed")}</p>
				<button type="button" @click=${this.more}>${e.text("again")}</button>
			</div>`;if(n)return l`<p class="ock-foot" role="status">${e.text("loading")}</p>`;if(s&&!this.query)return l`<button type="button" class="ock-foot" @click=${this.more}>
				${e.text("history.more")}
			</button>`;if(this.found().length)return u;let a=e.text(this.query?"history.nothing":"history.empty");return l`<p class="ock-foot" role="status">${a}</p>`}search(e){this.query=e.target.value}scrolled(e){let{scrollTop:i,clientHeight:n,scrollHeight:o}=e.target,{more:s,loading:a,error:c}=this.chat.threads;i+2*n>o&&s&&!a&&c===null&&this.more()}key(e){e.key==="Escape"&&(e.stopPropagation(),this.deleting?this.back(this.deleting):this.chat.hideHistory())}open(e){this.chat.hideHistory(),this.chat.open(e.id).catch(()=>{})}async ask(e,i){this.renaming=this.deleting=null,this[e]=i,await this.updateComplete;let n=e==="renaming"?"input.ock-rename-field":"[data-first]";this.querySelector(n)?.focus(),e==="renaming"&&this.querySelector(n)?.select()}rename(e,i){if(this.renaming!==e.id)return;let n=i.trim();this.failed=null,n&&n!==e.title&&this.chat.rename(e.id,n).catch(()=>this.fail(e)),this.back(e.id)}async back(e){this.renaming=this.deleting=null,await this.updateComplete;let i=e===void 0?"input":`[data-id="${CSS.escape(e)}"]`;this.querySelector(i)?.focus()}async deleteThread(e){let i=this.found(),n=i.findIndex(({id:s})=>s===e.id),o=i[n+1]??i[n-1];this.gone=new Set([...this.gone,e.id]),this.failed=null,await this.back(o?.id);try{await this.chat.remove(e.id)}catch{this.gone=new Set([...this.gone].filter(s=>s!==e.id)),this.fail(e)}}fail({title:e}){this.failed=e||this.chat.words.text("history.untitled")}};x("ock-history",Wo);var jo=class extends b{topics(){return["status","options"]}render(){let{status:t,words:e}=this.chat,{connection:i}=t;return l`<div role="status" part="network">${i==="online"?u:l`<p class="ock-network">${v("offline")}
						${e.text(`network.${i}`)}</p>`}</div>`}};x("ock-network-status",jo);var Ko=class extends b{topics(){return["options"]}render(){let{options:t,words:e}=this.chat,{greeting:i,prompts:n=[]}=t.startScreen??{};return l`<slot name="start">
			<slot name="greeting">
				<h1 class="ock-greeting" part="greeting" dir="auto">${i??e.text("start.greeting")}</h1>
			</slot>
			${n.length?l`<ul class="ock-prompts" aria-label=${e.text("start.prompts")}>
							${n.map(o=>this.prompt(o))}
						</ul>`:u}
		</slot>`}prompt(t){return l`<li>
			<button type="button" part="prompt" @click=${()=>this.send(t)}>
				${v(t.icon)}<span>${t.label}</span>
			</button>
		</li>`}send({prompt:t}){let e=typeof t=="string"?[{type:"input_text",text:t}]:t;this.chat.composer?.focus();let i=this.chat.composer?.takeInferenceOptions()??{};this.chat.send({content:e,inferenceOptions:i}).catch(()=>{})}};x("ock-start-screen",Ko);var Vo=class extends b{topics(){return["options","thread","items","status","history"]}render(){let{chat:t}=this,{options:e,historyOpen:i,conversation:n,status:o}=t,a=!n.thread&&!n.items.length&&!o.loading&&!o.error;return l`
			<div class="ock-frame" part="frame" ?inert=${i}>
				<slot name="header">
					${e.header?.enabled===!1?u:l`<ock-header .chat=${t} part="header"></ock-header>`}
				</slot>
				<ock-network-status .chat=${t}></ock-network-status>
				<div class="ock-body" ?data-new=${a}>
					${a?l`<ock-start-screen .chat=${t} part="start"></ock-start-screen>`:u}
					<ock-transcript .chat=${t} part="transcript" ?hidden=${a}></ock-transcript>
				</div>
				<ock-composer .chat=${t} part="composer"></ock-composer>
				<slot name="footer">${this.disclaimer()}</slot>
			</div>
			${i?l`<div class="ock-veil" @click=${()=>t.hideHistory()}></div>
							<ock-history .chat=${t} part="history"></ock-history>`:u}
		`}disclaimer(){let{disclaimer:t}=this.chat.options;return t?.text?l`<ock-markdown class="ock-disclaimer" part="disclaimer" .chat=${this.chat}
			.value=${t.text} ?data-contrast=${t.highContrast}></ock-markdown>`:u}};x("ock-shell",Vo);var Qg=2e3;function Zg({conversation:{items:r}}){let t=r.findLastIndex(({type:e})=>e==="user_message");return r.slice(t+1).filter(zd)}function zd(r){return r?.type==="client_tool_call"&&r.status==="pending"}var fi=class{constructor(t,e){this.handler=t;this.failed=e;this.begun=new Set;this.outputs=new Map}async run(t,e){if(this.handler()){for(let i of Zg(t))if(!this.begun.has(i.id)){this.begun.add(i.id);try{e?await this.alone(i,()=>this.answer(t,i)):await this.later(t,i)}catch(n){this.begun.delete(i.id),this.failed(n)}}}}async later(t,e){await new Promise(i=>setTimeout(i,Qg)),await this.alone(e,async()=>{await t.refresh(),zd(t.conversation.get(e.id))&&await this.answer(t,e)})}async alone(t,e){let{locks:i}=globalThis.navigator??{};i?await i.request(`open-chatkit ${t.id}`,e):await e()}async answer(t,e){let i=this.outputs.get(e.id)??await this.result(e);this.outputs.set(e.id,i);let n={...t.here,result:i};try{await t.run({kind:"answer",type:"threads.add_client_tool_output",params:n},()=>{let o={...e,status:"completed",output:i};t.changed(t.conversation.apply({type:"thread.item.replaced",item:o})??[])}),this.outputs.delete(e.id)}catch(o){if(!(o instanceof _&&o.status===409))throw o;t.changed(t.conversation.clearError()),await t.refresh()}}async result({name:t,arguments:e}){try{return await this.handler()({name:t,params:e})??{}}catch(i){return this.failed(i),{error:i instanceof Error?i.message:String(i)}}}};var z=vt("a text",r=>typeof r=="string",{type:"string"}),q=vt("true or false",r=>typeof r=="boolean",{type:"boolean"}),rt=vt("a function",r=>typeof r=="function",null),gi=be(()=>[],()=>({})),ki=vt('a colour, such as "#2f5bd7"',r=>typeof r=="string"&&(globalThis.CSS?.supports("color",r)??!0),{type:"string"});function ut(r=-1/0,t=1/0){let e=Number.isFinite(t)?` from ${r} to ${t}`:"",i=o=>typeof o=="number"&&o>=r&&o<=t&&!Number.isNaN(o),n={...Number.isFinite(r)?{minimum:r}:{},...Number.isFinite(t)?{maximum:t}:{}};return vt(`a number${e}`,i,{type:"number",...n})}function Rt(...r){return vt(Jg(r.map(t=>JSON.stringify(t))),t=>r.includes(t),{type:"string",enum:r})}function Ot(r){return be((t,e,i)=>Array.isArray(t)?t.flatMap((n,o)=>r(n,`${e}[${o}]`,i)):[bi(e,"a list",t)],()=>({type:"array",items:r.schema(!0)}))}function We(r){return be((t,e,i)=>zt(t)?Object.entries(t).flatMap(([n,o])=>r(o,`${e}[${JSON.stringify(n)}]`,i)):[bi(e,"an object",t)],()=>({type:"object",additionalProperties:r.schema(!0)}))}function L(r,t={}){let e={...r,...t};return be((i,n,o)=>{if(!zt(i))return[bi(n,"an object",i)];let s=a=>n?`${n}.${a}`:a;for(let a of Object.keys(i))Object.hasOwn(e,a)||o.push(Yg(s(a),a,Object.keys(e)));return Object.entries(e).flatMap(([a,c])=>i[a]!==void 0?c(i[a],s(a),o):a in t?[`\`${s(a)}\` is missing`]:[])},i=>{let n=Object.entries(e).map(([a,c])=>[a,c.schema(i)]);if(n.some(([a,c])=>c===null&&a in t))return null;let o=Object.fromEntries(n.filter(([,a])=>a!==null)),s=i?Object.keys(t):[];return{type:"object",properties:o,...s.length?{required:s}:{},additionalProperties:!1}})}function Yg(r,t,e){let i=e.find(n=>n.toLowerCase()===t.toLowerCase());return`\`${r}\` is no option${i?`: \`${r.slice(0,-t.length)}${i}\` is`:""}`}function Pt(r,t,e){return be((i,n,o)=>(r(i)?t:e)(i,n,o),i=>({anyOf:[t,e].flatMap(n=>n.schema(i)??[])}))}var Kt=r=>typeof r=="string";function zt(r){return typeof r=="object"&&r!==null&&!Array.isArray(r)}function vt(r,t,e){return be((i,n)=>t(i)?[]:[bi(n,r,i)],()=>e)}function be(r,t){return Object.assign(r,{schema:t})}function bi(r,t,e){let i=Kt(e)?JSON.stringify(e.slice(0,60)):Xg(e);return`\`${r||"options"}\` has to be ${t}, not ${i}`}function Xg(r){return r===null||typeof r=="number"||typeof r=="boolean"?String(r):Array.isArray(r)?"a list":typeof r=="object"?"an object":`a ${typeof r}`}function Jg(r){return r.length<2?String(r[0]):`${r.slice(0,-1).join(", ")} or ${r.at(-1)}`}var vi=class{constructor(t,e){this.changed=t;this.failed=e;this.words=new Li("en");this.files=new Map;this.wanted={}}set({locale:t,words:e}){this.wanted={...t?{locale:t}:{},...e?{words:e}:{}};let i=typeof e=="string"?this.files.get(e):e;this.words=new Li(t||globalThis.navigator?.language||"en",i),typeof e=="string"&&!i&&this.load(e)}async load(t){try{this.files.set(t,await tk(t))}catch(e){this.wanted.words===t&&this.failed(e);return}this.wanted.words===t&&(this.set(this.wanted),this.changed())}};async function tk(r){let t=await globalThis.fetch(r);if(!t.ok)throw new Error(`${r}: HTTP ${t.status}, no words`);let e=await t.json().catch(()=>null);if(!zt(e))throw new Error(`${r}: a JSON object of words was expected`);return e}var ek=25,Go=15e3,rk=1e3,ik=2e3,wi=class{constructor(t,e,i,n){this.client=t;this.network=e;this.heard=n;this.watching=null;this.session=null;this.end=new AbortController;this.channel=typeof BroadcastChannel=="function"&&globalThis.document?new BroadcastChannel(`open-chatkit ${i}`):null,this.channel?.addEventListener("message",({data:o})=>this.heard(o)),globalThis.document?.addEventListener("visibilitychange",()=>this.visible(),{signal:this.end.signal})}tell(t){this.channel?.postMessage(t)}watch(t){t!==this.session&&(this.session=t,this.start())}close(){this.end.abort(),this.watching?.abort(),this.channel?.close()}visible(){this.session&&!globalThis.document.hidden&&(this.session.isStale=!0),this.start()}start(){this.watching?.abort(),this.watching=null;let{session:t}=this;this.end.signal.aborted||!t?.threadId||!globalThis.document||document.hidden||(this.watching=new AbortController,this.loop(t,this.watching.signal))}async loop(t,e){let i=0;for(;!e.aborted;){let n=performance.now(),o=null;try{let{hasTurns:s,hasThreadEvents:a}=this.client;if(s&&a?await this.listen(t,e):o=await this.poll(t,e),this.client.hasTurns===!1)return}catch(s){if(e.aborted)return;s instanceof _?o=Go:this.network.failed()}performance.now()-n>Go&&(i=0),await this.network.wait(o??Ht(rk,i++),e).catch(()=>{})}}async listen(t,e){let i=t.threadId;try{for await(let n of this.client.watch(i,e))n.type==="thread.removed"?this.heard({type:"removed",thread:i}):await t.hear(n)}catch(n){if(!Md(n))throw n;await this.findOut(i,e)}finally{t.isStale=!0}}async findOut(t,e){try{await this.client.ask("threads.get_by_id",{thread_id:t},e),this.client.hasThreadEvents=!1}catch(i){if(!Md(i))throw i;this.heard({type:"removed",thread:t})}}async poll(t,e){let i=performance.now();return!await t.followNext(e,ek)&&performance.now()-i<ik?Go:0}};function Md(r){return r instanceof _&&r.status===404}var nk=5e3,ok=2e3,Ld={type:"error",code:"stopped",allow_retry:!0},je=class extends Error{constructor(){super(...arguments);this.name="Withdrawn"}},yi=class{constructor(t,e,i){this.conversation=t;this.client=e;this.events=i;this.runs=new Set;this.latest=null;this.waiting=[];this.over=new Set}get isAnswering(){return[...this.runs].some(({kind:t})=>t==="answer")}get isBusy(){return this.runs.size>0}isRunning(t){return[...this.runs].some(e=>e.turn===t)}isOver(t){return this.over.has(t)}goesOn(t){this.over.delete(t)}async named(){await this.until(()=>[...this.runs].every(({turn:t,accepted:e})=>t||e))}async idle(){await this.until(()=>!this.isBusy)}async send(t,e){let{kind:i,type:n,params:o,local:s=null}=t,a=this.add({kind:i,local:s,isOwn:!0}),{signal:c}=a.abort,d=()=>{a.accepted||e(),a.accepted=!0,this.wake()};try{let p=h=>{d(),this.name(a,h)};for await(let h of this.client.stream(n,o,{signal:c,onTurn:p}))d(),this.apply(a,h);a.turn&&this.over.add(a.turn),d()}catch(p){if(!a.accepted&&a.stopped)throw new je;if(this.fail(a,p),!a.accepted)throw p;a.stopped||this.events.failed(p,a)}finally{this.remove(a)}}async follow({turn:t,kind:e,isOwn:i}){if(this.isRunning(t)||this.over.has(t))return;let n=this.add({kind:e,isOwn:i,turn:t,accepted:!0});try{let o=this.conversation.lastEvent(t);for await(let s of this.client.follow(t,o,n.abort.signal))this.apply(n,s);this.over.add(t)}catch(o){this.fail(n,o),n.stopped||this.events.failed(o,n)}finally{this.remove(n)}}stop(){for(let t of this.runs)t.kind==="action"||t.stopped||(t.stopped=!0,t.turn?this.cancel(t,t.turn):setTimeout(()=>t.turn||t.abort.abort(),this.mayName(t)?ok:0))}close(){for(let t of this.runs)t.stopped=!0,t.abort.abort()}mayName({accepted:t}){return!t&&this.client.hasTurns!==!1}cancel(t,e){this.client.cancel(e),setTimeout(()=>t.abort.abort(),nk)}name(t,e){t.turn=e,t.stopped&&this.cancel(t,e),this.events.named(e,t.kind),this.wake()}add(t){let e={turn:null,stopped:!1,accepted:!1,isOwn:!1,local:null},i={abort:new AbortController,...e,...t};return this.runs.add(i),i.kind==="answer"&&(this.latest=i,i.turn!==null&&this.conversation.lastEvent(i.turn)>0||this.events.changed(this.conversation.begin())),this.events.started(i.kind),i}remove(t){this.runs.delete(t),this.events.changed(this.isBusy?["status"]:this.conversation.end()),this.wake()}apply(t,e){let i=new Set;for(let{event:n,id:o}of e){if(n.type==="error"&&this.isInterrupted(t))continue;for(let c of this.settle(t,n))i.add(c);let s=n.type==="error"&&t.stopped?Ld:n,a=this.conversation.apply(s,o);if(a){for(let c of a)i.add(c);(s.type!=="client_effect"||t.isOwn)&&this.events.received(s)}}this.events.changed([...i])}settle(t,e){if(t.local===null||e.type!=="thread.item.done")return[];if(e.item?.type!=="user_message")return[];let{local:i}=t;return t.local=null,this.conversation.replaceLocal(i,e.item)}isInterrupted(t){return t.kind==="answer"&&t.accepted&&t!==this.latest}fail(t,e){if(this.isInterrupted(t))return;let i=t.stopped?Ld:Qo(e,t.accepted);this.events.changed(this.conversation.apply(i)??[])}async until(t){for(;!t();)await new Promise(e=>this.waiting.push(e))}wake(){let{waiting:t}=this;this.waiting=[];for(let e of t)e()}};function Qo(r,t=!0){return r instanceof _&&r.message?{type:"error",code:"custom",message:r.message,allow_retry:!1}:{type:"error",code:r instanceof St?"lost":"network",allow_retry:t}}function xi({id:r,beside:t},e=!1){return{turn:r,kind:t?"action":"answer",isOwn:e}}function $i(r,t,e){if(r.id===t)return e(r);let{children:i}=r;if(Array.isArray(i)){for(let[o,s]of i.entries()){let a=Id(s)?$i(s,t,e):s;if(a!==s)return{...r,children:i.with(o,a)}}return r}if(!Id(i))return r;let n=$i(i,t,e);return n===i?r:{...r,children:n}}function Id(r){return typeof r=="object"&&r!==null}function _d(r,t){switch(r.type){case"assistant_message":return Zo("assistant_message",t)?sk(r,t):r;case"widget":return Zo("widget",t)?ak(r,t):r;case"workflow":return Zo("workflow",t)?ck(r,t):r;case"generated_image":return t.type!=="generated_image.updated"?r:{...r,image:t.image,progress:t.progress??null};default:return r}}function Zo(r,t){return t.type.startsWith(`${r}.`)}function sk(r,t){let{content_index:e}=t;if(!Ud(e))return r;let i=r.content?.[e]??Nd();switch(t.type){case"assistant_message.content_part.added":case"assistant_message.content_part.done":return Yo(r,e,t.content);case"assistant_message.content_part.text_delta":return Yo(r,e,{...i,text:i.text+t.delta});case"assistant_message.content_part.annotation_added":{let n=qd(i.annotations,t.annotation_index,t.annotation);return Yo(r,e,{...i,annotations:n})}default:return r}}function Yo(r,t,e){let i=[...r.content??[]];for(;i.length<t;)i.push(Nd());return i[t]=e,{...r,content:i}}function Nd(){return{type:"output_text",text:"",annotations:[]}}function ak(r,t){switch(t.type){case"widget.root.updated":return{...r,widget:t.widget};case"widget.component.updated":return Dd(r,t.component_id,()=>t.component);case"widget.streaming_text.value_delta":return Dd(r,t.component_id,e=>({...e,value:`${e.value??""}${t.delta}`,streaming:!t.done}));default:return r}}function Dd(r,t,e){let i=$i(r.widget,t,e);return i===r.widget?r:{...r,widget:i}}function ck(r,t){let e=qd(r.workflow?.tasks,t.task_index,t.task);return{...r,workflow:{...r.workflow,tasks:e}}}function qd(r,t,e){let i=[...r??[]];return i[Ud(t)?Math.min(t,i.length):i.length]=e,i}var lk=1e4;function Ud(r){return Number.isInteger(r)&&r>=0&&r<lk}var dk=["hidden_context_item","sdk_hidden_context"],Ti=class{constructor(){this.thread=null;this.progress=null;this.error=null;this.notices=[];this.stoppable=!0;this.list=[];this.places=new Map;this.changed=new Map;this.open=new Set;this.local=new Set;this.received=new Map;this.replays=new Map;this.clock=0}get items(){return this.list}get now(){return this.clock}get(t){let e=this.places.get(t);return e===void 0?void 0:this.list[e]}isOpen(t){return this.open.has(t)}lastEvent(t){return this.received.get(t)??0}begin(){return this.progress=null,this.error=null,this.notices=[],this.stoppable=!0,["status"]}end(){let t=[...this.open];return this.open.clear(),this.progress=null,["status",...t.map(e=>`item:${e}`)]}apply(t,e){let i=e===void 0?null:pk(e);if(i&&i.number<=this.lastEvent(i.turn)||(i&&this.received.set(i.turn,i.number),i&&this.isLoaded(t,i)))return null;switch(this.clock++,t.type){case"thread.created":case"thread.updated":return t.thread?this.setThread(t.thread):[];case"thread.item.added":return this.put(t.item,!0);case"thread.item.done":case"thread.item.replaced":return this.put(t.item,!1);case"thread.item.removed":return this.remove(t.item_id);case"thread.item.updated":return this.update(t.item_id,t.update);case"stream_options":return this.stoppable=t.stream_options?.allow_cancel??!0,["status"];case"progress_update":return this.progress={text:t.text,icon:t.icon??null},["status"];case"error":return this.error=t,["status"];case"notice":return this.notices=[...this.notices,t],["status"];default:return[]}}setThread({items:t,...e}){return this.thread&&this.thread.id!==e.id?[]:(this.thread=e,["thread"])}prepend(t){let e=t.filter(({id:i})=>!this.places.has(i));return this.set([...e.filter(i=>this.isShown(i)),...this.list])}merge(t,e,i){let n=new Set(t.map(({id:p})=>p)),o=p=>(this.changed.get(p)??0)>e||this.open.has(p)||this.local.has(p),s=this.list.findIndex(({id:p})=>n.has(p)),a=i&&s>0?this.list.slice(0,s):[],c=this.list.slice(a.length).filter(({id:p})=>!n.has(p)&&o(p)),d=t.filter(p=>this.isShown(p)).flatMap(p=>{let h=o(p.id)?this.get(p.id):p;return h?[h]:[]});for(let p of c)d.splice(this.placeIn(d,p),0,p);return this.set([...a,...d])}loadedAfter(t,e){let i=this.list.filter(({id:o})=>!this.open.has(o)&&!this.local.has(o)),n=new Set(i.map(({id:o})=>o));this.replays.set(t,{until:e,saved:n,skipped:new Set})}addLocal(t){return this.local.add(t.id),this.set([...this.list,t])}removeLocal(t){return this.local.delete(t)?this.set(this.list.filter(e=>e.id!==t)):[]}replaceLocal(t,e){return!this.local.has(t)||this.places.has(e.id)?this.removeLocal(t):(this.local.delete(t),this.changed.set(e.id,++this.clock),this.set(this.list.map(i=>i.id===t?e:i)))}cutAfter(t){let e=this.places.get(t);if(e===void 0)return[];this.clock++;let i=this.list.slice(e+1);for(let n of i)this.local.has(n.id)||this.forget(n.id);return this.set([...this.list.slice(0,e+1),...i.filter(n=>this.local.has(n.id))])}clearError(){return this.error=null,["status"]}dismiss(t){return this.notices=this.notices.filter(e=>e!==t),["status"]}placeIn(t,e){let i=t.length;if(this.local.has(e.id))return i;for(;i>0&&this.isAfter(t[i-1],e);)i--;return i}isAfter(t,e){return this.places.has(t.id)?this.local.has(t.id):Date.parse(t.created_at)>Date.parse(e.created_at)}isLoaded(t,{turn:e,number:i}){let n=this.replays.get(e);if(!n)return!1;let o=i<=n.until;switch(t.type){case"thread.created":case"thread.updated":case"client_effect":return o;case"thread.item.added":return n.saved.has(t.item?.id)?(n.skipped.add(t.item.id),!0):!1;case"thread.item.updated":return n.skipped.has(t.item_id);case"thread.item.removed":return o&&n.saved.has(t.item_id);case"thread.item.done":case"thread.item.replaced":return n.skipped.delete(t.item?.id),o&&n.saved.has(t.item?.id);default:return!1}}isShown(t){return!!t?.id&&!dk.includes(t.type)}put(t,e){return this.isShown(t)?(this.changed.set(t.id,this.clock),e?this.open.add(t.id):this.open.delete(t.id),t.type!=="user_message"&&(this.progress=null),[...this.place(t),"status"]):[]}place(t){let e=this.places.get(t.id);return e===void 0?(this.places.set(t.id,this.list.length),this.list=[...this.list,t],["items"]):(this.list[e]=t,[`item:${t.id}`])}remove(t){return this.forget(t),this.set(this.list.filter(e=>e.id!==t))}forget(t){this.changed.set(t,this.clock),this.open.delete(t)}update(t,e){let i=this.get(t);if(!i||!e?.type)return[];this.changed.set(t,this.clock);let n=this.progress?["status"]:[];this.progress=null;let o=_d(i,e);return o===i?n:[...this.place(o),...n]}set(t){return this.list=t,this.places=new Map(t.map(({id:e},i)=>[e,i])),["items"]}};function pk(r){let t=r.lastIndexOf(":"),e=Number(r.slice(t+1));return t>0&&Number.isInteger(e)?{turn:r.slice(0,t),number:e}:null}var Hd=20,uk=500,Ei=class{constructor(t,e,i){this.threadId=t;this.client=e;this.events=i;this.conversation=new Ti;this.loading=!1;this.older=!1;this.isStale=!0;this.cursor=null;this.recovered=null;this.lost=null;this.endedTurns=new Set;this.olderPage=null;this.runs=new yi(this.conversation,e,{changed:n=>this.changed(n),started:n=>i.started(this,n),named:(n,o)=>i.named(this,n,o),failed:(n,{turn:o,isOwn:s})=>this.failed(n,o,s),received:n=>{n.type==="thread.created"&&this.created(n.thread),i.received(this,n)}})}async load(){this.setLoading(!0);try{await this.sync()}catch(t){throw this.changed(this.conversation.apply(Qo(t))??[]),t}finally{this.setLoading(!1)}}async sync(t=!0){let{threadId:e}=this;if(!e)return;let i=await this.runningTurn(e);await this.refresh(i),i?this.follow(xi(i,t)):await this.forgive()}async forgive(){let{conversation:t,lost:e}=this;if(!e||t.error?.code!=="lost")return;let i=await this.client.turnState(e);if(i?.state==="completed"&&this.changed(t.clearError()),!i?.error)return;let{error:n,code:o="custom",allow_retry:s}=i,a={type:"error",code:o,message:n,allow_retry:s??!0};this.changed(t.apply(a)??[])}async refresh(t=null){let e=this.threadId;if(!e)return;let i=this.conversation.now,[n,o]=await Promise.all([this.client.ask("threads.get_by_id",{thread_id:e}),this.client.ask("items.list",{thread_id:e,limit:Hd,order:"desc"})]),{conversation:s}=this,a=s.items[0]?.id,c=s.setThread(n);c.push(...s.merge([...o.data].reverse(),i,o.has_more)),t!==null&&!this.runs.isRunning(t.id)&&s.loadedAfter(t.id,t.events??0),(!a||s.items[0]?.id!==a)&&this.setOlder(o),this.isStale&&s.error?.code==="network"&&c.push(...s.clearError()),this.isStale=!1,this.changed([...c,"status"])}async hear(t){switch(t.type){case"turn.started":this.follow(xi(t.turn));break;case"turn.ended":this.turnEnded(t.turn.id).catch(()=>{});break;case"thread.changed":this.isStale=!0;break;case"thread.watched":case"thread.removed":break;default:this.changed(this.conversation.apply(t)??[]),this.events.received(this,t)}this.isStale&&await this.sync(!1)}async turnEnded(t){this.endedTurns.add(t),await this.runs.named(),!(this.runs.isRunning(t)||this.runs.isOver(t))&&(this.isStale=!0,await this.sync(!1))}async followNext(t,e){if(!this.threadId)return!1;this.isStale&&await this.sync(!1);let i=await this.client.runningTurn(this.threadId,t,e);return i===null?!1:this.runs.isOver(i.id)?(await Fd(),!0):this.follow(xi(i))}async follow(t){if(await this.runs.named(),this.runs.isOver(t.turn))return!1;let{conversation:e}=this,i=e.lastEvent(t.turn),n=this.runs.isRunning(t.turn);await(n?this.runs.idle():this.runs.follow(t));let o=e.lastEvent(t.turn)>i;return n||(this.events.ended(this,t.kind,t.isOwn),o&&!t.isOwn&&await this.refresh().catch(()=>{}),o&&await this.goesOn(t.turn)&&await this.follow(t)),o}async goesOn(t){return await Fd(),this.endedTurns.has(t)||this.runs.isRunning(t)||(await this.client.turnState(t).catch(()=>null))?.state!=="running"?!1:(this.runs.goesOn(t),!0)}loadOlder(){return this.olderPage??=this.loadOlderPage().finally(()=>{this.olderPage=null}),this.olderPage}async send(t){let{conversation:e,threadId:i}=this,n=mk(t,i);this.changed(e.addLocal(n));let o={content:t.content.map(hk),attachments:(t.attachments??[]).map(({id:a})=>a),quoted_text:t.quotedText??null,inference_options:t.inferenceOptions??{}},s=i?{type:"threads.add_user_message",params:{thread_id:i,input:o}}:{type:"threads.create",params:{input:o}};try{await this.run({kind:"answer",local:n.id,...s})}catch(a){throw this.changed(e.removeLocal(n.id)),a}}async retry(t){let e={...this.here,item_id:t};await this.run({kind:"answer",type:"threads.retry_after_item",params:e},()=>this.changed(this.conversation.cutAfter(t)))}run(t,e=()=>{}){return new Promise((i,n)=>{let o=()=>{e(),i()};this.runToEnd(t,o).catch(n)})}async runToEnd(t,e=()=>{}){let{local:i}=t;try{await this.runs.send(t,e)}finally{this.events.ended(this,t.kind,!0)}let n=i!==void 0&&this.conversation.get(i)!==void 0;n&&this.changed(this.conversation.removeLocal(i)),(n||this.conversation.error)&&await this.refresh().catch(()=>{})}get here(){if(!this.threadId)throw new _(0,"There is no conversation yet");return{thread_id:this.threadId}}changed(t){this.events.changed(this,t)}created(t){this.threadId=t.id,this.isStale=!1}async runningTurn(t){let{signal:e}=new AbortController;return this.client.runningTurn(t,e).catch(()=>null)}failed(t,e,i){this.events.failed(t),this.isStale=!0;let n=`${e}:${e&&this.conversation.lastEvent(e)}`;n!==this.recovered&&(this.recovered=n,this.lost=e,this.sync(i).catch(()=>{}))}async loadOlderPage(){let t=this.conversation.items.find(({id:n})=>!n.startsWith(Bd));if(!this.older||!t)return;let e={...this.here,after:this.cursor??t.id,limit:Hd,order:"desc"},i=await this.client.ask("items.list",e);this.setOlder(i),this.changed([...this.conversation.prepend([...i.data].reverse()),"status"])}setOlder(t){this.older=t.has_more&&t.data.length>0,this.cursor=t.after??t.data.at(-1)?.id??null}setLoading(t){this.loading=t,this.changed(["status"])}};function Fd(){return new Promise(r=>setTimeout(r,uk))}var Bd="local_";function hk(r){return r.type==="input_tag"?{...r,data:r.data??{}}:r}function mk(r,t){return{type:"user_message",id:`${Bd}${ae()}`,thread_id:t??"",created_at:new Date().toISOString(),content:r.content,attachments:r.attachments??[],quoted_text:r.quotedText??null,inference_options:r.inferenceOptions??{}}}var fk={threads:[],more:!0,loading:!1,error:null},Si=class{constructor(t,e){this.client=t;this.changed=e;this.state=fk;this.after=null}async load(t){if(!(this.state.loading||!(t||this.state.more))){this.set({loading:!0,error:null});try{let e=t||!this.after?{}:{after:this.after},i=await this.client.ask("threads.list",{limit:30,...e}),n=t?[]:this.state.threads,o=new Set(n.map(({id:a})=>a)),s=[...n,...i.data.filter(({id:a})=>!o.has(a))];this.after=i.after??s.at(-1)?.id??null,this.set({threads:s,more:i.has_more,loading:!1})}catch(e){throw this.set({loading:!1,error:e instanceof Error?e.message:String(e)}),e}}}put(t){let{threads:e}=this.state,i=e.some(({id:n})=>n===t.id);this.set({threads:i?e.map(n=>n.id===t.id?{...n,...t}:n):[t,...e]})}remove(t){this.set({threads:this.state.threads.filter(e=>e.id!==t)})}set(t){this.state={...this.state,...t},this.changed()}};function gk(r){if(typeof requestAnimationFrame!="function")return queueMicrotask(r);let t=!1,e=()=>{t||(t=!0,cancelAnimationFrame(i),clearTimeout(n),r())},i=requestAnimationFrame(e),n=setTimeout(e,100)}var Ci=class{constructor(t=gk){this.schedule=t;this.listeners=new Map;this.changed=new Set}subscribe(t,e){let i=this.listeners.get(t)??new Set;return this.listeners.set(t,i.add(e)),()=>{i.delete(e),!i.size&&this.listeners.get(t)===i&&this.listeners.delete(t)}}tell(t){let e=!this.changed.size;for(let i of t)this.changed.add(i);e&&this.changed.size&&this.schedule(()=>this.flush())}flush(){let t=this.changed;this.changed=new Set;let e=new Set([...t].flatMap(i=>[...this.listeners.get(i)??[]]));for(let i of e)i()}};var Wd="chatkit_server.approval",Ri=class{constructor(t){this.emit=t;this.options={api:{url:""}};this.historyOpen=!1;this.composer=null;this.topics=new Ci;this.network=new Tr(()=>this.tell("status"));this.language=new vi(()=>this.tell("options","status","thread","items","threads","history"),t=>this.report(t));this.tools=new fi(()=>this.options.onClientTool,t=>this.report(t));this.fetch=(...t)=>{let{api:e}=this.options;return(("fetch"in e?e.fetch:void 0)??globalThis.fetch)(...t)};this.sessionEvents={changed:(t,e)=>{t===this.session&&this.topics.tell(e)},received:(t,e)=>this.received(t,e),started:(t,e)=>{e==="answer"&&this.emit("chatkit.response.start"),this.keep(t)},failed:t=>this.report(t),named:(t,e,i)=>{let{threadId:n}=t;n&&this.others.tell({type:"turn",thread:n,turn:e,kind:i})},ended:(t,e,i)=>this.ended(t,e,i)};this.busy=new Map;this.client=this.newClient();this.others=this.newOthers();this.list=this.newList();this.session=this.newSession(null)}subscribe(t,e){return this.topics.subscribe(t,e)}configure(t){let e=Ai(this.options);this.options=t,this.language.set(t),Ai(t)!==e&&this.connect(),t.history?.enabled===!1&&this.hideHistory(),this.tell("options","status")}disconnect(){this.others.close(),this.network.close()}reconnect(){this.others.close(),this.others=this.newOthers(),this.network.listen(),this.others.watch(this.session)}get words(){return this.language.words}get conversation(){return this.session.conversation}get threadId(){return this.session.threadId}get status(){let{conversation:t,runs:e,loading:i,older:n}=this.session,{progress:o,error:s,notices:a,stoppable:c}=t,{state:d}=this.network,p=e.isAnswering;return{loading:i,answering:p,stoppable:c,connection:d,progress:o,error:s,notices:a,older:n}}get threads(){return this.list.state}async send(t){t.newThread&&await this.open(null),await this.reported(this.session.send(t))}stop(){this.session.runs.stop()}async retry(t){await this.reported(this.session.retry(t))}async act(t,e){let{type:i,payload:n,handler:o,streaming:s=!0}=t,{session:a}=this;if(o==="client"&&e)return this.reported(this.actInPage(t,e));let c={type:i,payload:n??null},d={...a.here,item_id:e?.id??null,action:c};if(!s)return this.reported(this.actAtOnce(a,i,d));let p=i===Wd?"answer":"action";await this.reported(a.runToEnd({kind:p,type:"threads.custom_action",params:d}))}async answer(t,e,i="answered"){let{session:n}=this,o={...n.here,item_id:t.id,input:{status:i,answers:e}},s="threads.add_structured_input";try{await this.reported(n.run({kind:"answer",type:s,params:o}))}catch(a){throw a instanceof _&&a.status===409&&await n.refresh().catch(()=>{}),a}}async feedback(t,e){let i={...this.session.here,item_ids:t,kind:e};await this.reported(this.client.ask("items.feedback",i))}dismissNotice(t){this.session.changed(this.conversation.dismiss(t))}async open(t){if(t&&t===this.session.threadId)return this.loadAgain(t);let e=this.threadId;this.session=t&&this.busy.get(t)||this.newSession(t),this.others.watch(null),this.tell("thread","items","status"),t!==e&&this.emit("chatkit.thread.change",{threadId:t}),t&&await this.load(this.session,t)}loadOlder(){return this.reported(this.session.loadOlder())}fetchUpdates(){return this.reported(this.session.sync())}async rename(t,e){let i={thread_id:t,title:e},n=await this.reported(this.client.ask("threads.update",i));this.list.put(n),t===this.session.threadId&&this.session.changed(this.conversation.setThread(n)),this.others.tell({type:"thread",thread:t})}async remove(t){await this.reported(this.client.ask("threads.delete",{thread_id:t})),this.others.tell({type:"removed",thread:t}),await this.removed(t)}async loadThreads(t=!1){await this.reported(this.list.load(t))}showHistory(){this.historyOpen||this.options.history?.enabled===!1||(this.historyOpen=!0,this.tell("history"),this.emit("chatkit.history.open"),this.loadThreads(!0).catch(()=>{}))}hideHistory(){this.historyOpen&&(this.historyOpen=!1,this.tell("history"),this.emit("chatkit.history.close"))}createAttachment(t,e,i){return this.client.ask("attachments.create",{name:t,size:e,mime_type:i})}async deleteAttachment(t){await this.client.ask("attachments.delete",{attachment_id:t})}async transcribe(t,e){let i={audio_base64:t,mime_type:e};return(await this.client.ask("input.transcribe",i)).text}async loadAgain(t){let{session:e}=this;e.isStale&&!e.loading&&await this.load(e,t)}async load(t,e){this.emit("chatkit.thread.load.start",{threadId:e});try{await this.reported(t.load()),t===this.session&&this.others.watch(t),this.tools.run(t,!1)}finally{this.emit("chatkit.thread.load.end",{threadId:e})}}async actInPage({type:t,payload:e},i){let{onAction:n}=this.options.widgets??{};await n?.({type:t,payload:e},{id:i.id,widget:i.widget})}async actAtOnce(t,e,i){let n=await this.client.ask("threads.sync_custom_action",i),{updated_item:o}=n;o&&t.changed(t.conversation.apply({type:"thread.item.replaced",item:o})??[]),e===Wd&&await t.refresh(),t.threadId&&this.others.tell({type:"thread",thread:t.threadId})}connect(){this.others.close();for(let e of this.busy.values())e.runs.close();this.busy.clear(),this.client=this.newClient(),this.others=this.newOthers(),this.list=this.newList();let{threadId:t}=this.session;this.session=this.newSession(null),this.tell("thread","items","status","threads"),t&&this.emit("chatkit.thread.change",{threadId:null})}newClient(){return new Sr({url:Ai(this.options),fetch:this.fetch,locale:()=>this.words.locale,network:this.network})}newOthers(){let t=Ai(this.options);return new wi(this.client,this.network,t,e=>this.heard(e))}newList(){return new Si(this.client,()=>this.tell("threads"))}newSession(t){return new Ei(t,this.client,this.sessionEvents)}received(t,e){switch(e.type){case"client_effect":this.emit("chatkit.effect",{name:e.name,data:e.data});break;case"error":e.code!=="stopped"&&this.report(new Error(e.message??e.code));break;case"thread.created":this.keep(t),t===this.session&&(this.emit("chatkit.thread.change",{threadId:e.thread.id}),this.others.watch(t)),this.list.put(e.thread);break;case"thread.updated":this.list.put(e.thread);break}}keep(t){t.threadId&&t.runs.isBusy&&this.busy.set(t.threadId,t)}ended(t,e,i){t.threadId&&!t.runs.isBusy&&this.busy.delete(t.threadId),e==="answer"&&this.emit("chatkit.response.end"),this.tools.run(t,i)}heard(t){let e=t.thread===this.session.threadId;t.type==="turn"&&e&&this.session.follow({...t,isOwn:!1}),t.type==="thread"&&e&&this.session.refresh().catch(()=>{}),t.type==="removed"?this.removed(t.thread):this.historyOpen&&this.loadThreads(!0).catch(()=>{})}async removed(t){this.list.remove(t),this.busy.get(t)?.runs.close(),t===this.session.threadId&&await this.open(null)}async reported(t){try{return await t}catch(e){throw e instanceof je||this.report(e),e}}report(t){let e=t instanceof Error;this.emit("chatkit.error",{error:e?t:new Error(String(t))}),t instanceof _&&this.emit("chatkit.log",{name:"refused",data:{status:t.status}})}tell(...t){this.topics.tell(t)}};function Ai({api:r}){return"url"in r?r.url:""}var Xo=vt('the name of an icon, such as "star" or "lucide:rocket"',Kt,{type:"string"}),Gd=Rt("light","dark","system"),kk=r=>Array.isArray(r),bk=L({id:z,group:z,data:We(gi),interactive:q},{type:Rt("input_text","input_tag"),text:z}),vk=L({colorScheme:Gd,typography:L({baseSize:ut(10,32),fontFamily:z,fontFamilyMono:z,fontSources:Ot(L({weight:Pt(Kt,z,ut(1,1e3)),style:Rt("normal","italic","oblique"),display:Rt("auto","block","swap","fallback","optional"),unicodeRange:z},{family:z,src:z}))}),radius:Rt("pill","round","soft","sharp"),density:Rt("compact","normal","spacious"),color:L({grayscale:L({shade:ut(-4,4)},{hue:ut(0,360),tint:ut(0,9)}),accent:L({level:ut(0,3)},{primary:ki}),surface:L({},{background:ki,foreground:ki})})}),jd=L({label:z},{icon:Xo,onClick:rt}),wk=L({placeholder:z,attachments:L({maxSize:Pt(zt,We(ut(0)),ut(0)),maxCount:ut(0),accept:We(Ot(z))},{enabled:q}),tools:Ot(L({icon:Xo,shortLabel:z,placeholderOverride:z,pinned:q,persistent:q},{id:z,label:z})),models:Ot(L({description:z,disabled:q,default:q},{id:z,label:z})),dictation:L({},{enabled:q})}),Kd=Rt("two_phase","direct"),Vd=L({fetch:rt,headers:rt,domainKey:gi,uploadStrategy:Pt(r=>zt(r)&&r.type==="direct",L({},{type:Kd,uploadUrl:z}),L({},{type:Kd}))},{url:vt('the address of a ChatKit server, such as "/api/chat"',r=>Kt(r)&&r!=="",{type:"string",minLength:1})}),yk=Object.assign((r,t,e)=>zt(r)&&"getClientSecret"in r&&!("url"in r)?[`\`${t}.getClientSecret\` is for OpenAI's hosted workflows: set \`${t}.url\` to your server`]:Vd(r,t,e),{schema:Vd.schema}),xk={api:yk,locale:z,theme:Pt(Kt,Gd,vk),frameTitle:z,initialThread:Pt(r=>r===null,gi,z),onClientTool:rt,header:L({enabled:q,title:L({enabled:q,text:z}),leftAction:jd,rightAction:jd}),history:L({enabled:q,showDelete:q,showRename:q}),startScreen:L({greeting:z,prompts:Ot(L({icon:Xo},{label:z,prompt:Pt(kk,Ot(bk),z)}))}),threadItemActions:L({feedback:q,retry:q}),composer:wk,disclaimer:L({highContrast:q},{text:z}),entities:L({onTagSearch:rt,showComposerMenu:q,onClick:rt,onRequestPreview:rt}),commands:L({onSearch:rt,onSelect:rt},{enabled:q}),widgets:L({onAction:rt}),thread:L({autoScroll:q}),words:Pt(Kt,z,We(z)),allowedImageDomains:Ot(z)};function Qd(r){let{api:t,...e}=xk,i=[];return{wrong:L(e,{api:t})(r,"",i).map(o=>o==="`api` is missing"?`${o}: { url: "/api/chat" }`:o),unknown:i}}function es(r,t){if(Object.is(r,t))return!0;if(!ts(r)||!ts(t)||Array.isArray(r)!==Array.isArray(t))return!1;let[e,i]=[Jo(r),Jo(t)];return e.length===i.length&&e.every(n=>Object.hasOwn(t,n)&&es(r[n],t[n]))}function Oi(r){return Array.isArray(r)?r.map(Oi):ts(r)?Object.fromEntries(Jo(r).map(t=>[t,Oi(r[t])])):r}function Jo(r){return Object.keys(r).filter(t=>r[t]!==void 0)}function ts(r){if(typeof r!="object"||r===null)return!1;let t=Object.getPrototypeOf(r);return Array.isArray(r)||t===null||Object.getPrototypeOf(t)===null}var Pi=A`
	--ock-light: initial;
	--ock-dark: ;
	--ock-surface: #fff;
	--ock-surface-raised: #f6f6f7;
	--ock-text: #1b1b1f;
	--ock-text-quiet: #5d5d66;
	--ock-border: #dcdce0;
	--ock-accent: #2f5bd7;
	--ock-accent-text: #fff;
	--ock-link: var(--ock-accent);
	--ock-danger: #b3261e;
	--ock-warning: #8a5300;
	--ock-success: #1e6b3a;
	--ock-info: #1f5f99;
	--ock-discovery: #6b3fb5;
	color-scheme: light;
`,zi=A`
	--ock-light: ;
	--ock-dark: initial;
	--ock-surface: #18181b;
	--ock-surface-raised: #232327;
	--ock-text: #ececf1;
	--ock-text-quiet: #a5a5b0;
	--ock-border: #3a3a41;
	--ock-accent: #8fabff;
	--ock-accent-text: #10131f;
	--ock-link: var(--ock-accent);
	--ock-danger: #ff9b93;
	--ock-warning: #f0b866;
	--ock-success: #7fd09a;
	--ock-info: #8ec5f5;
	--ock-discovery: #c3a6ff;
	color-scheme: dark;
`;var Zd=A`
	:host {
		${Pi}
		--ock-radius: 24px;
		--ock-radius-control: 999px;
		--ock-bubble: color-mix(in srgb, var(--ock-accent) 9%, var(--ock-surface));
		--ock-space: 4px;
		--ock-font: system-ui, sans-serif;
		--ock-mono: ui-monospace, monospace;
		--ock-size: 16px;

		display: block;
		block-size: 100%;
		min-inline-size: 0;
		max-inline-size: 100%;
		color: var(--ock-text);
		background: var(--ock-surface);
		font: var(--ock-size) / 1.5 var(--ock-font);
	}

	:host([hidden]) {
		display: none;
	}

	:host([data-scheme="dark"]) {
		${zi}
	}

	*,
	*::before,
	*::after {
		box-sizing: border-box;
	}

	button,
	input,
	textarea,
	select {
		font: inherit;
		color: inherit;
	}

	:focus-visible {
		outline: 2px solid var(--ock-link);
		outline-offset: 2px;
	}

	.ock-hidden {
		position: absolute;
		inline-size: 1px;
		block-size: 1px;
		overflow: hidden;
		clip-path: inset(50%);
		white-space: nowrap;
	}

	@media (prefers-reduced-motion: reduce) {
		*,
		*::before,
		*::after {
			animation-duration: 0.01ms !important;
			transition: none !important;
			scroll-behavior: auto !important;
		}
	}
`;var Yd=A`
	ock-menu-button {
		min-inline-size: 0;
	}

	.ock-menu {
		position: absolute;
		z-index: 20;
		inset-block-end: calc(100% + var(--ock-space));
		inset-inline-start: 0;
		display: flex;
		flex-direction: column;
		min-inline-size: min(256px, 100%);
		max-inline-size: 100%;
		border: 1px solid var(--ock-border);
		border-radius: var(--ock-radius);
		background: var(--ock-surface);
		box-shadow: 0 6px 24px rgb(0 0 0 / 18%);
		overflow: hidden;
	}

	.ock-models .ock-menu {
		inset-inline: auto 0;
	}

	.ock-wide {
		inline-size: 100%;
	}

	.ock-menu[data-loading] .ock-options {
		opacity: 0.6;
	}

	.ock-options {
		padding: var(--ock-space);
		overflow-y: auto;
		overscroll-behavior: contain;
	}

	.ock-options:focus-visible {
		outline-offset: -2px;
		border-radius: var(--ock-radius);
	}

	.ock-group {
		padding: calc(var(--ock-space) * 1.5) calc(var(--ock-space) * 2) var(--ock-space);
		color: var(--ock-text-quiet);
		font-size: 0.8125em;
	}

	.ock-option {
		display: flex;
		align-items: center;
		gap: calc(var(--ock-space) * 2);
		min-block-size: 36px;
		padding: var(--ock-space) calc(var(--ock-space) * 2);
		border-radius: calc(var(--ock-radius) - var(--ock-space));
		cursor: pointer;
	}

	.ock-option[data-active] {
		background: color-mix(in srgb, var(--ock-accent) 14%, transparent);
	}

	.ock-option[aria-disabled="true"] {
		color: var(--ock-text-quiet);
		cursor: default;
	}

	.ock-option-text {
		flex: 1;
		display: flex;
		flex-direction: column;
		min-inline-size: 0;
		overflow-wrap: anywhere;
	}

	.ock-option-text .ock-hint {
		line-height: 1.35;
	}

	.ock-menu-empty {
		margin: 0;
		padding: calc(var(--ock-space) * 3);
		color: var(--ock-text-quiet);
	}

	.ock-preview {
		inline-size: min(352px, 100%);
		padding: calc(var(--ock-space) * 3);
		overflow-y: auto;
	}

	.ock-quoter {
		position: absolute;
		z-index: 15;
		display: inline-flex;
		align-items: center;
		gap: var(--ock-space);
		min-block-size: 32px;
		padding: 0 calc(var(--ock-space) * 3);
		border: 1px solid var(--ock-border);
		border-radius: 999px;
		background: var(--ock-surface);
		box-shadow: 0 2px 10px rgb(0 0 0 / 16%);
		font-size: 0.875em;
		cursor: pointer;
		transform: translateX(-50%);
	}
`;var Xd=A`
	.ock-uploads {
		display: flex;
		flex-wrap: wrap;
		gap: calc(var(--ock-space) * 2);
		max-block-size: 30vh;
		margin: 0;
		padding: calc(var(--ock-space) * 3) calc(var(--ock-space) * 3) 0;
		overflow-y: auto;
		list-style: none;
	}

	.ock-upload {
		position: relative;
		display: flex;
		align-items: center;
		gap: calc(var(--ock-space) * 2);
		inline-size: min(256px, 100%);
		padding: calc(var(--ock-space) * 1.5);
		border: 1px solid var(--ock-border);
		border-radius: var(--ock-radius);
		background: var(--ock-surface-raised);
		overflow: hidden;
	}

	.ock-upload[data-state="failed"] {
		border-color: var(--ock-danger);
		inline-size: min(384px, 100%);
	}

	.ock-upload[data-state="failed"] .ock-hint {
		color: var(--ock-danger);
	}

	.ock-upload-picture {
		flex: none;
		display: grid;
		place-items: center;
		inline-size: 40px;
		block-size: 40px;
		border-radius: calc(var(--ock-radius) / 2);
		background: var(--ock-surface);
		color: var(--ock-text-quiet);
		object-fit: cover;
	}

	.ock-upload-picture[hidden] {
		display: none;
	}

	.ock-upload-text {
		flex: 1;
		display: flex;
		flex-direction: column;
		min-inline-size: 0;
		line-height: 1.3;
	}

	.ock-upload-name {
		overflow: hidden;
		font-size: 0.875em;
		text-overflow: ellipsis;
		white-space: nowrap;
	}

	.ock-upload .ock-tool {
		min-inline-size: 32px;
		min-block-size: 32px;
		padding: 0;
	}

	.ock-upload-progress {
		position: absolute;
		inset: auto 0 0;
		block-size: 3px;
		background: var(--ock-border);
	}

	.ock-upload-progress-bar {
		display: block;
		block-size: 100%;
		background: var(--ock-accent);
		transition: inline-size 0.2s;
	}

	.ock-upload-progress-bar[data-unknown] {
		inline-size: 40%;
		animation: ock-to-and-fro 1.2s ease-in-out infinite alternate;
	}

	@keyframes ock-to-and-fro {
		to {
			margin-inline-start: 60%;
		}
	}

	.ock-quote {
		display: flex;
		align-items: flex-start;
		gap: var(--ock-space);
		margin: calc(var(--ock-space) * 3) calc(var(--ock-space) * 3) 0;
		padding: calc(var(--ock-space) * 1.5) calc(var(--ock-space) * 2);
		border-inline-start: 3px solid var(--ock-accent);
		border-radius: 4px;
		background: var(--ock-surface-raised);
	}

	.ock-quote blockquote {
		flex: 1;
		display: -webkit-box;
		margin: 0;
		min-inline-size: 0;
		color: var(--ock-text-quiet);
		font-size: 0.875em;
		overflow: hidden;
		overflow-wrap: anywhere;
		white-space: pre-line;
		-webkit-box-orient: vertical;
		-webkit-line-clamp: 3;
	}

	.ock-quote .ock-tool {
		min-inline-size: 28px;
		min-block-size: 28px;
		padding: 0;
	}

	.ock-composer-note {
		margin: var(--ock-space) calc(var(--ock-space) * 2) 0;
		color: var(--ock-danger);
		font-size: 0.875em;
		overflow-wrap: anywhere;
	}

	.ock-closed {
		display: flex;
		flex-wrap: wrap;
		align-items: center;
		justify-content: space-between;
		gap: calc(var(--ock-space) * 2);
		padding: 0 calc(var(--ock-space) * 2) calc(var(--ock-space) * 2);
	}

	.ock-closed p {
		margin: 0;
		color: var(--ock-text-quiet);
		overflow-wrap: anywhere;
	}

	.ock-plain {
		min-block-size: 36px;
		padding: 0 calc(var(--ock-space) * 3);
		border: 1px solid var(--ock-border);
		border-radius: 999px;
		background: none;
		cursor: pointer;
	}

	.ock-dictation-text {
		flex: 1;
		min-inline-size: 128px;
		color: var(--ock-text-quiet);
		font-size: 0.875em;
		overflow-wrap: anywhere;
	}

	.ock-dictation[data-state="failed"] .ock-dictation-text {
		color: var(--ock-danger);
	}

	.ock-recording {
		flex: none;
		inline-size: 11.2px;
		block-size: 11.2px;
		margin-inline: calc(var(--ock-space) * 2);
		border-radius: 50%;
		background: var(--ock-border);
	}

	.ock-dictation[data-state="recording"] .ock-recording {
		background: var(--ock-danger);
		animation: ock-pulse 1s ease-in-out infinite alternate;
	}

	@keyframes ock-pulse {
		to {
			opacity: 0.35;
		}
	}

	.ock-c-time {
		font-variant-numeric: tabular-nums;
		font-size: 0.875em;
	}

	.ock-drop {
		position: absolute;
		z-index: 30;
		inset: calc(var(--ock-space) * 2);
		display: grid;
		place-items: center;
		border: 2px dashed var(--ock-accent);
		border-radius: var(--ock-radius);
		background: color-mix(in srgb, var(--ock-surface) 88%, transparent);
		font-weight: 600;
		text-align: center;
		pointer-events: none;
	}

	.ock-drop p {
		display: flex;
		align-items: center;
		gap: calc(var(--ock-space) * 2);
		margin: calc(var(--ock-space) * 4);
	}
`;var Jd=A`
	:host {
		position: relative;
	}

	ock-composer {
		display: block;
		flex: none;
		min-inline-size: 0;
	}

	.ock-composer {
		inline-size: 100%;
		max-inline-size: 768px;
		margin-inline: auto;
		padding: calc(var(--ock-space) * 2) calc(var(--ock-space) * 3) calc(var(--ock-space) * 3);
	}

	.ock-box {
		position: relative;
		display: flex;
		flex-direction: column;
		border: 1px solid var(--ock-border);
		border-radius: calc(var(--ock-radius) * 1.5);
		background: var(--ock-surface);
		box-shadow: 0 1px 4px rgb(0 0 0 / 6%);
	}

	.ock-box:has(textarea:focus) {
		border-color: var(--ock-link);
		box-shadow: 0 0 0 1px var(--ock-link);
	}

	.ock-box[data-disabled] {
		background: var(--ock-surface-raised);
	}

	/* The text and the layer that marks its tags lie on each other, and have to break lines alike */
	ock-field {
		display: block;
		max-block-size: min(40vh, 320px);
		overflow-y: auto;
	}

	.ock-field {
		display: grid;
	}

	.ock-field > textarea,
	.ock-mirror {
		grid-area: 1 / 1;
		inline-size: 100%;
		min-inline-size: 0;
		margin: 0;
		padding: calc(var(--ock-space) * 3) calc(var(--ock-space) * 4) var(--ock-space);
		border: 0;
		font: inherit;
		letter-spacing: inherit;
		tab-size: 4;
		white-space: pre-wrap;
		overflow-wrap: anywhere;
		unicode-bidi: plaintext;
		text-align: start;
	}

	.ock-field > textarea {
		block-size: 100%;
		background: none;
		color: inherit;
		outline: none;
		overflow: hidden;
		resize: none;
	}

	.ock-field > textarea::placeholder {
		color: var(--ock-text-quiet);
		opacity: 1;
	}

	.ock-field > textarea:disabled {
		cursor: not-allowed;
		opacity: 1;
	}

	.ock-mirror {
		color: transparent;
		pointer-events: none;
		user-select: none;
	}

	.ock-mention {
		border-radius: 4px;
		background: color-mix(in srgb, var(--ock-accent) 18%, transparent);
		box-shadow: 0 0 0 1px color-mix(in srgb, var(--ock-accent) 35%, transparent);
		box-decoration-break: clone;
		-webkit-box-decoration-break: clone;
	}

	.ock-mention[data-interactive] {
		cursor: pointer;
		pointer-events: auto;
	}

	.ock-composer-bar,
	.ock-dictation {
		display: flex;
		flex-wrap: wrap;
		align-items: center;
		gap: var(--ock-space);
		padding: var(--ock-space) calc(var(--ock-space) * 2) calc(var(--ock-space) * 2);
	}

	.ock-side {
		display: flex;
		align-items: center;
		gap: var(--ock-space);
		min-inline-size: 0;
		margin-inline-start: auto;
	}

	.ock-tool {
		display: inline-flex;
		align-items: center;
		justify-content: center;
		gap: var(--ock-space);
		flex: none;
		min-inline-size: 36px;
		min-block-size: 36px;
		max-inline-size: 100%;
		padding: 0 calc(var(--ock-space) * 2);
		border: 1px solid transparent;
		border-radius: 999px;
		background: none;
		color: var(--ock-text-quiet);
		font-size: 0.875em;
		cursor: pointer;
	}

	.ock-tool:hover {
		background: var(--ock-surface-raised);
		color: var(--ock-text);
	}

	.ock-tool[aria-pressed="true"],
	.ock-chosen {
		border-color: color-mix(in srgb, var(--ock-accent) 40%, transparent);
		background: color-mix(in srgb, var(--ock-accent) 12%, transparent);
		color: var(--ock-text);
	}

	.ock-tool-text {
		overflow: hidden;
		max-inline-size: 192px;
		text-overflow: ellipsis;
		white-space: nowrap;
	}

	.ock-main,
	.ock-main:hover {
		padding: 0;
		background: var(--ock-accent);
		color: var(--ock-accent-text);
	}

	.ock-main[aria-disabled="true"] {
		background: var(--ock-border);
		color: var(--ock-text-quiet);
		cursor: default;
	}

	.ock-tool > svg {
		inline-size: 20px;
		block-size: 20px;
	}

	.ock-glyph {
		flex: none;
		inline-size: 20px;
		block-size: 20px;
		fill: none;
		stroke: currentColor;
		stroke-width: 1.8;
		stroke-linecap: round;
		stroke-linejoin: round;
	}

	.ock-glyph .ock-solid {
		fill: currentColor;
		stroke: none;
	}

	.ock-tool-text + .ock-glyph {
		inline-size: 16px;
		block-size: 16px;
	}

	.ock-hint {
		color: var(--ock-text-quiet);
		font-size: 0.8125em;
	}

	@media (max-height: 420px) {
		.ock-composer {
			padding: var(--ock-space);
		}

		.ock-composer-bar {
			padding-block: 0 var(--ock-space);
		}

		ock-field {
			max-block-size: 96px;
		}
	}

	@supports not selector(:has(a)) {
		.ock-box:focus-within {
			border-color: var(--ock-link);
		}
	}

	@media (pointer: coarse) {
		/* Phones zoom into fields with smaller letters */
		.ock-field > textarea,
		.ock-mirror {
			font-size: max(16px, 1em);
		}

		.ock-tool,
		.ock-option,
		.ock-plain {
			min-inline-size: 44px;
			min-block-size: 44px;
		}

		.ock-upload .ock-tool,
		.ock-quote .ock-tool {
			min-inline-size: 44px;
			min-block-size: 44px;
		}
	}

	@media (forced-colors: active) {
		.ock-option[data-active] {
			outline: 2px solid Highlight;
		}

		.ock-mention {
			text-decoration: underline;
			text-decoration-color: CanvasText;
		}
	}
`;var tp=A`
	ock-shell {
		display: block;
		position: relative;
		block-size: 100%;
		min-block-size: 0;
		overflow: hidden;
		container-type: inline-size;
		/* Where nothing says how wide it is, as in a row of a page */
		contain-intrinsic-inline-size: 384px;
		/* How the page around it sets its own text is nothing for messages */
		text-align: start;
		text-indent: 0;
		text-shadow: none;
		text-transform: none;
		letter-spacing: normal;
		word-spacing: normal;
		white-space: normal;
		word-break: normal;
		cursor: auto;
	}

	.ock-frame {
		display: flex;
		flex-direction: column;
		block-size: 100%;
		min-block-size: 0;
		/* Where the composer alone is higher, as at 400% */
		overflow: hidden auto;
	}

	.ock-body {
		flex: 1;
		display: flex;
		flex-direction: column;
		min-block-size: 0;
	}

	ock-transcript {
		flex: 1;
		min-block-size: 0;
		overflow-y: auto;
	}

	[hidden] {
		display: none !important;
	}

	.ock-icon {
		inline-size: 1em;
		block-size: 1em;
		flex: none;
	}

	.ock-button {
		display: inline-grid;
		place-items: center;
		inline-size: 40px;
		block-size: 40px;
		flex: none;
		padding: 0;
		border: 0;
		border-radius: var(--ock-radius-control);
		background: none;
		color: var(--ock-text-quiet);
		font-size: 1.125em;
		cursor: pointer;
	}

	.ock-button:hover {
		background: var(--ock-surface-raised);
		color: var(--ock-text);
	}

	ock-header header {
		display: flex;
		align-items: center;
		gap: var(--ock-space);
		min-block-size: 56px;
		padding-inline: calc(var(--ock-space) * 2);
	}

	.ock-title {
		flex: 1;
		min-inline-size: 0;
		margin: 0;
		font-size: 1em;
		font-weight: 600;
		overflow: hidden;
		text-overflow: ellipsis;
		white-space: nowrap;
	}

	input.ock-title {
		padding: 6px 10px;
		border: 1px solid var(--ock-border);
		border-radius: var(--ock-radius-control);
		background: var(--ock-surface);
	}

	.ock-rename {
		display: inline-flex;
		align-items: center;
		gap: 6px;
		max-inline-size: 100%;
		padding: 6px 10px;
		border: 0;
		border-radius: var(--ock-radius-control);
		background: none;
		font: inherit;
		cursor: pointer;
	}

	.ock-rename span {
		overflow: hidden;
		text-overflow: ellipsis;
	}

	.ock-rename .ock-icon {
		opacity: 0;
		color: var(--ock-text-quiet);
	}

	.ock-rename:hover,
	.ock-rename:focus-visible {
		background: var(--ock-surface-raised);
	}

	/* Inside, since a long title cuts off what is around it */
	.ock-rename:focus-visible {
		outline-offset: -2px;
	}

	.ock-rename:hover .ock-icon,
	.ock-rename:focus-visible .ock-icon {
		opacity: 1;
	}

	.ock-network {
		display: flex;
		align-items: center;
		justify-content: center;
		gap: 8px;
		margin: 0;
		padding: 6px 16px;
		background: var(--ock-surface-raised);
		color: var(--ock-warning);
		font-size: 0.875em;
	}

	ock-start-screen {
		flex: 1;
		display: flex;
		flex-direction: column;
		justify-content: safe center;
		gap: calc(var(--ock-space) * 6);
		inline-size: 100%;
		max-inline-size: 768px;
		margin-inline: auto;
		padding: calc(var(--ock-space) * 6) 16px;
		overflow-y: auto;
	}

	.ock-greeting {
		margin: 0;
		font-size: 1.75em;
		font-weight: 600;
		line-height: 1.25;
		letter-spacing: -0.01em;
		text-wrap: balance;
		overflow-wrap: anywhere;
	}

	.ock-prompts {
		display: grid;
		grid-template-columns: repeat(auto-fit, minmax(min(224px, 100%), 1fr));
		gap: calc(var(--ock-space) * 2);
		margin: 0;
		padding: 0;
		list-style: none;
	}

	.ock-prompts button {
		display: flex;
		align-items: center;
		gap: 10px;
		inline-size: 100%;
		block-size: 100%;
		min-block-size: 52px;
		padding: calc(var(--ock-space) * 2.5) calc(var(--ock-space) * 4);
		border: 1px solid var(--ock-border);
		border-radius: var(--ock-radius);
		background: var(--ock-surface);
		text-align: start;
		cursor: pointer;
		overflow-wrap: anywhere;
	}

	.ock-prompts .ock-icon {
		color: var(--ock-link);
		font-size: 1.125em;
	}

	.ock-prompts button:hover {
		border-color: color-mix(in srgb, var(--ock-accent) 40%, var(--ock-border));
		background: var(--ock-bubble);
	}

	.ock-disclaimer {
		display: block;
		padding: 0 16px 10px;
		color: var(--ock-text-quiet);
		font-size: 0.8125em;
		text-align: center;
	}

	.ock-disclaimer[data-contrast] {
		color: var(--ock-text);
	}

	.ock-disclaimer p {
		margin: 0;
	}

	.ock-veil {
		position: absolute;
		inset: 0;
		background: rgb(0 0 0 / 35%);
	}

	ock-history section {
		position: absolute;
		inset-block: 0;
		inset-inline-start: 0;
		display: flex;
		flex-direction: column;
		inline-size: min(352px, 100%);
		background: var(--ock-surface);
		border-inline-end: 1px solid var(--ock-border);
		animation: ock-appear 120ms ease-out;
	}

	@keyframes ock-appear {
		from {
			opacity: 0;
		}
	}

	.ock-history-head {
		display: flex;
		align-items: center;
		justify-content: space-between;
		min-block-size: 56px;
		padding-inline: 16px 8px;
	}

	.ock-history-head h2 {
		margin: 0;
		font-size: 1em;
	}

	.ock-search {
		display: flex;
		align-items: center;
		gap: 8px;
		margin: 0 12px 8px;
		padding-inline: 12px;
		border: 1px solid var(--ock-border);
		border-radius: var(--ock-radius-control);
		color: var(--ock-text-quiet);
	}

	.ock-search:focus-within {
		outline: 2px solid var(--ock-link);
		outline-offset: 1px;
	}

	.ock-search input {
		flex: 1;
		min-inline-size: 0;
		padding: 8px 0;
		border: 0;
		outline: none;
		background: none;
		color: var(--ock-text);
	}

	.ock-history-list {
		flex: 1;
		min-block-size: 0;
		overflow-y: auto;
		padding: 0 8px 16px;
	}

	.ock-history-list h3 {
		margin: 16px 8px 4px;
		color: var(--ock-text-quiet);
		font-size: 0.75em;
		font-weight: 600;
	}

	.ock-history-list h3::first-letter {
		text-transform: uppercase;
	}

	.ock-history-list ul {
		margin: 0;
		padding: 0;
		list-style: none;
	}

	.ock-history-list li {
		display: flex;
		align-items: center;
		border-radius: min(var(--ock-radius-control), 20px);
	}

	.ock-history-list li:hover {
		background: var(--ock-surface-raised);
	}

	.ock-history-list li:has([aria-current]) {
		background: var(--ock-bubble);
		font-weight: 600;
	}

	.ock-thread {
		flex: 1;
		min-inline-size: 0;
		min-block-size: 40px;
		padding: 6px 12px;
		border: 0;
		border-radius: inherit;
		background: none;
		text-align: start;
		cursor: pointer;
	}

	.ock-thread span {
		display: block;
		overflow: hidden;
		text-overflow: ellipsis;
		white-space: nowrap;
	}

	.ock-history-list li .ock-button {
		inline-size: 32px;
		block-size: 32px;
		font-size: 0.95em;
	}

	@media (hover: hover) {
		.ock-history-list li:not(:hover, :focus-within) .ock-button {
			opacity: 0;
		}

		/* The title has the place of the buttons until they are shown */
		.ock-history-list li:not(:hover, :focus-within) .ock-thread:has(+ .ock-button) {
			margin-inline-end: -32px;
		}

		.ock-history-list li:not(:hover, :focus-within) .ock-thread:has(+ .ock-button + .ock-button) {
			margin-inline-end: -64px;
		}
	}

	.ock-rename-field {
		flex: 1;
		min-inline-size: 0;
		padding: 7px 12px;
		border: 1px solid var(--ock-border);
		border-radius: inherit;
		background: var(--ock-surface);
	}

	.ock-question {
		display: flex;
		flex-wrap: wrap;
		gap: 8px;
		padding: 8px 12px;
	}

	.ock-question p {
		flex-basis: 100%;
		margin: 0;
	}

	.ock-question button,
	.ock-foot button,
	button.ock-foot {
		min-block-size: 36px;
		padding: 4px 14px;
		border: 1px solid var(--ock-border);
		border-radius: var(--ock-radius-control);
		background: var(--ock-surface);
		cursor: pointer;
	}

	.ock-question .ock-danger {
		border-color: var(--ock-danger);
		color: var(--ock-danger);
	}

	.ock-failed {
		margin: 0 12px 8px;
		padding: 8px 12px;
		border-radius: min(var(--ock-radius), 12px);
		background: color-mix(in srgb, var(--ock-danger) 10%, var(--ock-surface));
		font-size: 0.875em;
		overflow-wrap: anywhere;
	}

	.ock-foot {
		display: block;
		margin: 16px auto;
		color: var(--ock-text-quiet);
		text-align: center;
	}

	@media (pointer: coarse) {
		.ock-button,
		.ock-history-list li .ock-button {
			inline-size: 44px;
			block-size: 44px;
		}

		.ock-thread {
			min-block-size: 44px;
		}
	}
`;var ep=A`
	.ock-icon-button {
		display: inline-grid;
		place-items: center;
		flex: none;
		inline-size: 32px;
		block-size: 32px;
		padding: 0;
		border: 0;
		border-radius: calc(var(--ock-radius) * 0.6);
		background: none;
		color: var(--ock-text-quiet);
		font-size: calc(0.9375 * var(--ock-size));
		cursor: pointer;
	}

	.ock-icon-button:hover {
		background: var(--ock-surface-raised);
		color: var(--ock-text);
	}

	.ock-icon-button[aria-pressed="true"] {
		color: var(--ock-link);
	}

	.ock-icon-button[aria-pressed="true"] .ock-icon {
		fill: color-mix(in srgb, var(--ock-accent) 25%, transparent);
	}

	.ock-push {
		min-block-size: 32px;
		padding: calc(1 * var(--ock-space)) calc(3 * var(--ock-space));
		border: 1px solid var(--ock-border);
		border-radius: calc(var(--ock-radius) * 0.75);
		background: var(--ock-surface);
		font-size: 0.9375em;
		cursor: pointer;
	}

	.ock-push:hover {
		background: var(--ock-surface-raised);
	}

	.ock-push[data-primary] {
		border-color: var(--ock-accent);
		background: var(--ock-accent);
		color: var(--ock-accent-text);
	}

	.ock-push:disabled {
		opacity: 0.55;
		cursor: default;
	}

	.ock-link {
		min-block-size: 28px;
		padding: 0 calc(1 * var(--ock-space));
		border: 0;
		background: none;
		color: var(--ock-text-quiet);
		font-size: 0.875em;
		text-decoration: underline;
		text-underline-offset: 3px;
		cursor: pointer;
	}

	.ock-failed {
		color: var(--ock-danger);
		font-size: 0.875em;
	}

	.ock-failed:empty {
		display: none;
	}

	.ock-actions {
		display: flex;
		flex-wrap: wrap;
		align-items: center;
		gap: 2px;
		margin-block-start: calc(1 * var(--ock-space));
		margin-inline-start: -7px;
	}

	.ock-row[data-speaker="user"] .ock-actions {
		justify-content: end;
		margin-inline: 0 -7px;
	}

	@media (hover: hover) {
		/* Over the space that is below the message anyway */
		.ock-row[data-speaker="user"] > ock-actions {
			position: absolute;
			inset-block-start: calc(100% - 10px);
			inset-inline-end: calc(4 * var(--ock-space));
			z-index: 1;
		}
	}

	.ock-hour {
		padding-inline: calc(1 * var(--ock-space));
		color: var(--ock-text-quiet);
		font-size: 0.8125em;
	}

	.ock-asking {
		display: flex;
		flex-wrap: wrap;
		align-items: center;
		gap: calc(2 * var(--ock-space));
		flex-basis: 100%;
		margin-inline-start: 7px;
		font-size: 0.9375em;
	}

	@media (hover: hover) {
		.ock-row[data-speaker="user"] .ock-actions,
		.ock-actions .ock-hour {
			opacity: 0;
			transition: opacity 0.12s;
		}

		.ock-row:hover .ock-actions,
		.ock-row:focus .ock-actions,
		.ock-row:focus-within .ock-actions,
		.ock-row:hover .ock-hour,
		.ock-row:focus-within .ock-hour {
			opacity: 1;
		}
	}

	@media (pointer: coarse) {
		.ock-icon-button {
			inline-size: 44px;
			block-size: 44px;
		}

		.ock-push,
		.ock-link {
			min-block-size: 44px;
		}

		.ock-newest {
			inline-size: 44px;
			block-size: 44px;
		}
	}
`;var rp=A`
	.ock-questions {
		display: flex;
		flex-direction: column;
		gap: calc(4 * var(--ock-space));
		margin: calc(1 * var(--ock-space)) 0;
		padding: calc(4 * var(--ock-space));
		border: 1px solid var(--ock-border);
		border-radius: var(--ock-radius);
	}

	.ock-ask {
		min-inline-size: 0;
		margin: 0;
		padding: 0;
		border: 0;
	}

	.ock-ask legend {
		margin-block-end: calc(1.5 * var(--ock-space));
		padding: 0;
		font-weight: 600;
	}

	.ock-ask[data-skipped] > :not(legend, .ock-link) {
		opacity: 0.45;
	}

	.ock-choice {
		display: flex;
		align-items: start;
		gap: calc(2 * var(--ock-space));
		padding-block: calc(1.25 * var(--ock-space));
		min-block-size: 28px;
		cursor: pointer;
	}

	.ock-choice input {
		flex: none;
		inline-size: 1.125em;
		block-size: 1.125em;
		margin: 0.2em 0 0;
		accent-color: var(--ock-accent);
	}

	.ock-answer-field {
		display: block;
		inline-size: 100%;
		min-block-size: 36px;
		margin-block: calc(1 * var(--ock-space));
		padding: calc(1.5 * var(--ock-space)) calc(2.5 * var(--ock-space));
		border: 1px solid color-mix(in srgb, var(--ock-text) 45%, var(--ock-surface));
		border-radius: calc(var(--ock-radius) * 0.6);
		background: var(--ock-surface);
		resize: vertical;
	}

	.ock-answer-field::placeholder {
		color: var(--ock-text-quiet);
		opacity: 1;
	}

	.ock-ask[data-wrong] .ock-answer-field {
		border-color: var(--ock-danger);
	}

	.ock-ask .ock-failed {
		margin: calc(1 * var(--ock-space)) 0;
	}

	.ock-buttons {
		display: flex;
		flex-wrap: wrap;
		gap: calc(2 * var(--ock-space));
	}

	.ock-answers {
		display: flex;
		flex-direction: column;
		gap: calc(2 * var(--ock-space));
		margin: calc(1 * var(--ock-space)) 0;
		padding-inline-start: calc(3 * var(--ock-space));
		border-inline-start: 3px solid var(--ock-border);
	}

	.ock-answers dt {
		color: var(--ock-text-quiet);
		font-size: 0.9375em;
	}

	.ock-answers dd {
		margin: 0;
		white-space: pre-wrap;
	}

	.ock-answers .ock-skipped {
		color: var(--ock-text-quiet);
		font-style: italic;
	}

	@media (pointer: coarse) {
		.ock-choice,
		.ock-answer-field {
			min-block-size: 44px;
		}
	}
`;var ip=A`
	.ock-mark .ock-source,
	.ock-mark .ock-entity {
		display: inline-block;
		min-inline-size: 1.5em;
		margin-inline: 2px;
		padding: 0 0.45em;
		border: 0;
		border-radius: 1em;
		background: var(--ock-surface-raised);
		color: var(--ock-text-quiet);
		font-size: 0.75em;
		line-height: 1.6;
		text-align: center;
		text-decoration: none;
		vertical-align: 0.15em;
		cursor: pointer;
	}

	.ock-mark .ock-source:hover,
	.ock-mark .ock-entity:hover {
		background: var(--ock-accent);
		color: var(--ock-accent-text);
	}

	.ock-sources,
	.ock-found {
		display: flex;
		flex-wrap: wrap;
		gap: calc(1.5 * var(--ock-space));
		margin: calc(2 * var(--ock-space)) 0 0;
		padding: 0;
		list-style: none;
	}

	.ock-sources > li {
		max-inline-size: 100%;
	}

	.ock-sources .ock-source,
	.ock-sources .ock-entity {
		display: inline-flex;
		align-items: center;
		gap: calc(1.5 * var(--ock-space));
		max-inline-size: min(100%, 352px);
		min-block-size: 28px;
		padding: 2px calc(2.5 * var(--ock-space));
		border: 1px solid var(--ock-border);
		border-radius: 1.2em;
		background: none;
		color: inherit;
		font-size: 0.875em;
		text-decoration: none;
		cursor: pointer;
	}

	.ock-sources .ock-source:hover,
	.ock-sources .ock-entity:hover {
		background: var(--ock-surface-raised);
	}

	.ock-sources .ock-name {
		white-space: nowrap;
	}

	.ock-number,
	.ock-origin {
		color: var(--ock-text-quiet);
	}

	.ock-origin {
		overflow: hidden;
		text-overflow: ellipsis;
		white-space: nowrap;
	}

	.ock-entity {
		white-space: normal;
		text-align: start;
	}

	.ock-tagged .ock-entity {
		padding: 0 0.35em;
		border: 0;
		border-radius: 0.4em;
		background: color-mix(in srgb, var(--ock-accent) 9%, transparent);
		color: var(--ock-link);
	}

	.ock-tagged button.ock-entity {
		cursor: pointer;
	}

	.ock-card {
		position: fixed;
		inset: auto;
		z-index: 10;
		margin: 0;
		inline-size: max-content;
		max-inline-size: min(320px, calc(100vw - 12px));
		padding: calc(3 * var(--ock-space));
		border: 1px solid var(--ock-border);
		border-radius: var(--ock-radius);
		background: var(--ock-surface);
		color: var(--ock-text);
		box-shadow: 0 6px 24px rgb(0 0 0 / 0.16);
		font-size: calc(0.875 * var(--ock-size));
		line-height: 1.45;
		text-align: start;
		overflow-wrap: anywhere;
		animation: ock-appear 0.12s ease-out;
	}

	.ock-card strong {
		display: block;
	}

	.ock-card p {
		margin: calc(1 * var(--ock-space)) 0 0;
	}

	.ock-card-head {
		color: var(--ock-text-quiet);
		font-size: 0.9em;
	}
`;var np=A`
	.ock-workflow-head,
	summary.ock-step-head {
		display: inline-flex;
		align-items: center;
		gap: calc(2 * var(--ock-space));
		max-inline-size: 100%;
		min-block-size: 32px;
		padding: calc(1 * var(--ock-space)) calc(2 * var(--ock-space));
		margin-inline-start: calc(-2 * var(--ock-space));
		border: 0;
		border-radius: calc(var(--ock-radius) * 0.6);
		background: none;
		color: var(--ock-text-quiet);
		font-size: 0.9375em;
		text-align: start;
		list-style: none;
		cursor: pointer;
	}

	.ock-workflow-head:disabled {
		cursor: default;
		opacity: 1;
	}

	.ock-workflow-head:enabled:hover,
	summary.ock-step-head:hover {
		background: var(--ock-surface-raised);
	}

	summary.ock-step-head::-webkit-details-marker {
		display: none;
	}

	.ock-turn {
		display: inline-grid;
		transition: transform 0.15s;
	}

	:dir(rtl) > .ock-turn {
		transform: scaleX(-1);
	}

	[aria-expanded="true"] > .ock-turn,
	[open] > summary > .ock-turn {
		transform: rotate(90deg);
	}

	.ock-seconds {
		flex: none;
		font-variant-numeric: tabular-nums;
	}

	.ock-busy > span:not(.ock-mark-icon, .ock-dots),
	.ock-name.ock-busy {
		animation: ock-breathe 2s infinite ease-in-out;
	}

	.ock-tasks {
		margin: calc(1 * var(--ock-space)) 0 0;
		padding: 0;
		list-style: none;
	}

	.ock-tasks[hidden] {
		display: none;
	}

	.ock-tasks > li {
		position: relative;
		padding-block-end: calc(2 * var(--ock-space));
	}

	.ock-tasks > li:not(:last-child)::before {
		content: "";
		position: absolute;
		inset-block: 1.9em 0.1em;
		inset-inline-start: calc(0.625em - 0.5px);
		border-inline-start: 1px solid var(--ock-border);
	}

	.ock-step,
	ock-task {
		display: block;
		font-size: 0.9375em;
	}

	ock-task .ock-step {
		font-size: 1em;
	}

	p.ock-step-head {
		display: flex;
		gap: calc(2 * var(--ock-space));
		align-items: start;
		margin: 0;
	}

	.ock-step-head {
		color: var(--ock-text-quiet);
	}

	.ock-step-body {
		padding-inline-start: calc(1.25em + 2 * var(--ock-space));
		color: var(--ock-text-quiet);
	}

	details.ock-step > .ock-step-body {
		padding-inline-start: 0;
		padding-block: calc(1 * var(--ock-space));
	}

	.ock-done {
		display: inline-grid;
		place-items: center;
		flex: none;
		inline-size: 1.25em;
		block-size: 1.5em;
		color: var(--ock-success);
	}

	.ock-spinner {
		flex: none;
		inline-size: 1em;
		block-size: 1em;
		margin: 0.25em 0.125em;
		border: 2px solid var(--ock-border);
		border-block-start-color: var(--ock-accent);
		border-radius: 50%;
		animation: ock-spin 0.9s linear infinite;
	}

	.ock-queries,
	.ock-found {
		display: flex;
		flex-wrap: wrap;
		gap: calc(1.5 * var(--ock-space));
		margin: calc(1.5 * var(--ock-space)) 0 0;
		padding: 0;
		list-style: none;
		font-size: 0.9375em;
	}

	.ock-queries li {
		padding: 1px calc(2 * var(--ock-space));
		border-radius: 1em;
		background: var(--ock-surface-raised);
	}

	.ock-found {
		flex-direction: column;
	}

	.ock-found a {
		color: inherit;
	}

	.ock-about {
		margin: calc(1 * var(--ock-space)) 0;
		color: var(--ock-text-quiet);
		font-size: 0.9375em;
	}

	@keyframes ock-spin {
		to {
			transform: rotate(1turn);
		}
	}

	@keyframes ock-breathe {
		50% {
			opacity: 0.55;
		}
	}

	@media (prefers-reduced-motion: reduce) {
		.ock-spinner,
		.ock-dots i {
			animation: none !important;
		}
	}

	@media (pointer: coarse) {
		.ock-workflow-head,
		summary.ock-step-head {
			min-block-size: 44px;
		}
	}
`;var $k=A`
	ock-item {
		display: block;
	}

	.ock-row[data-speaker="user"] ock-item {
		display: flex;
		flex-direction: column;
		align-items: end;
		gap: calc(1.5 * var(--ock-space));
	}

	.ock-bubble {
		max-inline-size: 85%;
		padding: calc(2.5 * var(--ock-space)) calc(4 * var(--ock-space));
		border-radius: calc(var(--ock-radius) * 1.5);
		border-end-end-radius: calc(var(--ock-radius) / 3);
		background: var(--ock-bubble);
		overflow-wrap: anywhere;
	}

	.ock-bubble p {
		margin: 0;
		min-block-size: 1.5em;
		white-space: pre-wrap;
	}

	.ock-quoted {
		max-inline-size: 85%;
		max-block-size: 7.5em;
		overflow: auto;
		margin: 0;
		padding-inline-start: calc(3 * var(--ock-space));
		border-inline-start: 3px solid var(--ock-border);
		color: var(--ock-text-quiet);
		font-size: 0.9375em;
		white-space: pre-wrap;
	}

	.ock-choices {
		display: flex;
		flex-wrap: wrap;
		justify-content: end;
		gap: calc(2 * var(--ock-space));
		margin: 0;
		color: var(--ock-text-quiet);
		font-size: 0.8125em;
	}

	.ock-attachments {
		display: flex;
		flex-wrap: wrap;
		justify-content: end;
		gap: calc(2 * var(--ock-space));
		max-inline-size: 100%;
		margin: 0;
		padding: 0;
		list-style: none;
	}

	.ock-attachments li {
		max-inline-size: 100%;
	}

	.ock-attachment {
		position: relative;
		display: flex;
		flex-wrap: wrap;
		align-items: center;
		gap: calc(2 * var(--ock-space));
		padding: calc(1.5 * var(--ock-space)) calc(2 * var(--ock-space));
		border: 1px solid var(--ock-border);
		border-radius: var(--ock-radius);
	}

	.ock-attachment[data-image] {
		padding: 0;
		border: 0;
	}

	.ock-attachment[data-image] > .ock-icon-button,
	.ock-icon-button.ock-over {
		position: absolute;
		inset-block-end: calc(1.5 * var(--ock-space));
		inset-inline-end: calc(1.5 * var(--ock-space));
		background: color-mix(in srgb, var(--ock-surface) 85%, transparent);
		color: var(--ock-text);
	}

	.ock-file-label {
		display: flex;
		flex-direction: column;
		min-inline-size: 0;
		max-inline-size: 256px;
		line-height: 1.3;
	}

	.ock-file-label small {
		color: var(--ock-text-quiet);
	}

	.ock-name {
		overflow: hidden;
		text-overflow: ellipsis;
	}

	.ock-thumb,
	.ock-picture {
		display: block;
		padding: 0;
		border: 0;
		border-radius: var(--ock-radius);
		overflow: hidden;
		background: var(--ock-surface-raised);
		cursor: zoom-in;
	}

	.ock-thumb img {
		display: block;
		inline-size: 160px;
		block-size: 160px;
		max-inline-size: 100%;
		object-fit: cover;
	}

	.ock-image {
		position: relative;
		inline-size: fit-content;
		max-inline-size: 100%;
		margin: calc(1 * var(--ock-space)) 0;
	}

	.ock-picture {
		inline-size: 320px;
		max-inline-size: 100%;
		min-block-size: 64px;
	}

	div.ock-picture {
		cursor: default;
	}

	.ock-image[data-open] .ock-picture {
		aspect-ratio: 1;
	}

	.ock-picture img {
		display: block;
		inline-size: 100%;
		block-size: auto;
	}

	.ock-image[data-open] img {
		block-size: 100%;
		object-fit: cover;
		filter: blur(14px);
		transform: scale(1.08);
	}

	.ock-image figcaption {
		margin-block-start: calc(2 * var(--ock-space));
		color: var(--ock-text-quiet);
		font-size: 0.875em;
	}

	.ock-meter {
		display: block;
		block-size: 4px;
		margin-block-start: calc(1 * var(--ock-space));
		border-radius: 2px;
		background: var(--ock-border);
		overflow: hidden;
	}

	.ock-meter > span {
		display: block;
		block-size: 100%;
		border-radius: 2px;
		background: var(--ock-accent);
		transition: inline-size 0.3s ease-out;
	}

	.ock-meter[data-unknown] > span {
		inline-size: 30%;
		animation: ock-pulse 1.2s infinite ease-in-out;
	}

	dialog.ock-large {
		max-inline-size: 100vw;
		max-block-size: 100dvh;
		padding: calc(4 * var(--ock-space));
		border: 0;
		background: none;
		cursor: zoom-out;
	}

	dialog.ock-large::backdrop {
		background: rgb(0 0 0 / 0.75);
	}

	dialog.ock-large img {
		display: block;
		max-inline-size: 90vw;
		max-block-size: 86dvh;
		min-inline-size: min(60vw, 60dvh);
		border-radius: var(--ock-radius);
	}

	dialog.ock-large .ock-icon-button {
		position: fixed;
		inset-block-start: calc(3 * var(--ock-space));
		inset-inline-end: calc(3 * var(--ock-space));
		background: var(--ock-surface);
		color: var(--ock-text);
	}
`,op=[$k,ep,ip,np,rp];var Tk=A`
	:host {
		--ock-code-keyword: #8a1c9e;
		--ock-code-string: #1d6a2c;
		--ock-code-number: #9a4a00;
		--ock-code-comment: #5d6470;
		--ock-code-type: #00628a;
		--ock-code-name: #1f4fc4;
		--ock-code-meta: #80560a;
		--ock-code-inserted: #1d6a2c;
		--ock-code-deleted: #b3261e;
	}

	:host([data-scheme="dark"]) {
		--ock-code-keyword: #e09cf0;
		--ock-code-string: #8fd69a;
		--ock-code-number: #f2b27a;
		--ock-code-comment: #a0a5b1;
		--ock-code-type: #7fcdf0;
		--ock-code-name: #a4bfff;
		--ock-code-meta: #e0c07a;
		--ock-code-inserted: #8fd69a;
		--ock-code-deleted: #ff9b93;
	}

	.ock-t-keyword {
		color: var(--ock-code-keyword);
	}
	.ock-t-string {
		color: var(--ock-code-string);
	}
	.ock-t-number {
		color: var(--ock-code-number);
	}
	.ock-t-comment {
		color: var(--ock-code-comment);
		font-style: italic;
	}
	.ock-t-type {
		color: var(--ock-code-type);
	}
	.ock-t-name {
		color: var(--ock-code-name);
	}
	.ock-t-meta {
		color: var(--ock-code-meta);
	}
	.ock-t-inserted {
		color: var(--ock-code-inserted);
	}
	.ock-t-deleted {
		color: var(--ock-code-deleted);
	}
`,Ek=A`
	ock-markdown {
		display: block;
		min-inline-size: 0;
		overflow-wrap: anywhere;
	}

	:where(.ock-text) :where(p, ul, ol, blockquote, details, h1, h2, h3, h4, h5, h6) {
		margin-block: 0;
	}

	.ock-text > * + *,
	.ock-text :is(li, blockquote, details, .ock-note) > * + * {
		margin-block-start: calc(3 * var(--ock-space));
	}

	.ock-text :is(h1, h2, h3, h4, h5, h6) {
		line-height: 1.3;
	}
	.ock-text > * + :is(h1, h2, h3, h4, h5, h6) {
		margin-block-start: calc(6 * var(--ock-space));
	}
	.ock-text :is(h1, h2, h3) {
		font-size: 1.25em;
	}
	.ock-text h4 {
		font-size: 1.12em;
	}
	.ock-text :is(h5, h6) {
		font-size: 1em;
	}

	.ock-text :is(ul, ol) {
		padding-inline-start: 1.75em;
	}
	.ock-text li + li {
		margin-block-start: var(--ock-space);
	}
	.ock-text .ock-loose > li + li {
		margin-block-start: calc(3 * var(--ock-space));
	}
	.ock-text li > :is(ul, ol) {
		margin-block-start: var(--ock-space);
	}
	.ock-text .ock-task {
		list-style: none;
		position: relative;
	}
	.ock-text .ock-task > input {
		position: absolute;
		inset-block-start: 0.3em;
		inset-inline-start: -1.5em;
		margin: 0;
	}
	.ock-text .ock-task > input + * {
		margin-block-start: 0;
	}

	.ock-text blockquote {
		margin-inline: 0;
		padding-inline-start: calc(3 * var(--ock-space));
		border-inline-start: 3px solid var(--ock-border);
		color: var(--ock-text-quiet);
	}

	.ock-text hr {
		border: 0;
		border-block-start: 1px solid var(--ock-border);
		margin-block: calc(5 * var(--ock-space));
	}

	.ock-text a {
		color: var(--ock-link);
		text-underline-offset: 0.15em;
	}
	.ock-text .ock-host {
		color: var(--ock-text-quiet);
	}

	.ock-text img {
		max-inline-size: 100%;
		max-block-size: 30em;
		border-radius: calc(var(--ock-radius) / 2);
		vertical-align: middle;
	}

	.ock-text mark {
		background: color-mix(in srgb, var(--ock-warning) 30%, transparent);
		color: inherit;
	}

	.ock-text summary {
		cursor: pointer;
	}

	.ock-text .ock-note {
		font-size: 0.9em;
	}
	.ock-text .ock-note > .ock-note-mark {
		float: inline-start;
		margin-inline-end: var(--ock-space);
		margin-block: 0;
	}
	.ock-note-mark {
		min-inline-size: 24px;
		min-block-size: 24px;
		margin-block: -8px;
		padding: 0 var(--ock-space);
		border: 0;
		background: none;
		color: var(--ock-link);
		cursor: pointer;
	}
	sup > .ock-note-mark {
		font-size: inherit;
		line-height: 1;
	}
`,Sk=A`
	.ock-text .ock-scroll {
		max-inline-size: 100%;
		overflow-x: auto;
		overscroll-behavior-inline: contain;
	}

	.ock-text table {
		border-collapse: collapse;
		overflow-wrap: normal;
	}
	.ock-text :is(th, td) {
		max-inline-size: 32em;
		min-inline-size: 3em;
		padding: calc(1.5 * var(--ock-space)) calc(3 * var(--ock-space));
		border-block-end: 1px solid var(--ock-border);
		text-align: start;
		vertical-align: top;
		overflow-wrap: break-word;
	}
	.ock-text .ock-long {
		display: block;
	}
	.ock-text .ock-long > * {
		display: table;
		table-layout: fixed;
		inline-size: 0; /* the columns make it wider */
	}
	.ock-text .ock-long :is(th, td) {
		max-inline-size: none;
		overflow-wrap: anywhere;
	}
	.ock-text .ock-left {
		text-align: left;
	}
	.ock-text .ock-center {
		text-align: center;
	}
	.ock-text .ock-right {
		text-align: right;
	}

	.ock-text code,
	.ock-text :is(kbd, samp) {
		font-family: var(--ock-mono);
		font-size: 0.9em;
	}
	.ock-text :not(pre) > code,
	.ock-text kbd {
		padding: 0.1em 0.3em;
		border-radius: 0.3em;
		background: var(--ock-surface-raised);
	}
	.ock-text kbd {
		border: 1px solid var(--ock-border);
	}

	.ock-code {
		border: 1px solid var(--ock-border);
		border-radius: calc(var(--ock-radius) * 0.75);
		background: var(--ock-surface-raised);
		overflow: clip;
	}
	.ock-code-head {
		display: flex;
		align-items: center;
		justify-content: space-between;
		gap: calc(2 * var(--ock-space));
		padding-inline: calc(3 * var(--ock-space)) var(--ock-space);
		border-block-end: 1px solid var(--ock-border);
		color: var(--ock-text-quiet);
		font-size: 0.85em;
	}
	.ock-code-head > span {
		overflow: hidden;
		text-overflow: ellipsis;
		white-space: nowrap;
	}
	.ock-code-head > button {
		flex: none;
		min-block-size: 32px;
		padding-inline: calc(2 * var(--ock-space));
		border: 0;
		border-radius: calc(var(--ock-radius) / 2);
		background: none;
		cursor: pointer;
	}
	.ock-code-head > button:hover {
		color: var(--ock-text);
	}
	.ock-code :focus-visible {
		outline-offset: -2px;
	}
	.ock-code > pre {
		margin: 0;
		padding: calc(3 * var(--ock-space));
		overflow-wrap: normal;
		tab-size: 4;
	}
	.ock-lines {
		display: block;
		inline-size: max-content;
		min-inline-size: 100%;
	}

	.ock-math {
		/* A formula may move things: not out of its box */
		contain: paint;
	}
	.ock-math:not(.ock-math-block) {
		display: inline-block;
		max-inline-size: 100%;
	}
	.ock-text .ock-math-block {
		display: block;
		overflow: auto hidden;
		padding-block: calc(2 * var(--ock-space));
		text-align: center;
	}
	.ock-math math {
		font-family: "Cambria Math", "STIX Two Math", "Noto Sans Math", "Latin Modern Math", math;
		font-feature-settings: "dtls" off; /* dots on i and j */
	}
	.ock-math .tml-display {
		display: block math;
	}

	@media (pointer: coarse) {
		.ock-code-head > button {
			min-block-size: 44px;
		}
	}
`,sp=[Tk,Ek,Sk];var ap=A`
	ock-transcript {
		position: relative;
		display: flex;
		flex-direction: column;
		overflow: hidden;
	}

	.ock-reel {
		flex: 1;
		min-block-size: 0;
		overflow: hidden auto;
		/* What is read is kept in its place by the code: not all browsers do it */
		overflow-anchor: none;
		overscroll-behavior: contain;
		outline-offset: -2px;
		position: relative;
	}

	.ock-row,
	.ock-older,
	ock-ending {
		display: block;
		inline-size: 100%;
		max-inline-size: calc(736px + 8 * var(--ock-space));
		margin-inline: auto;
		padding-inline: calc(4 * var(--ock-space));
	}

	.ock-row {
		position: relative;
		padding-block: calc(1.5 * var(--ock-space));
		outline-offset: -2px;
		overflow-wrap: anywhere;
	}

	.ock-row[data-begins] {
		padding-block-start: calc(4 * var(--ock-space));
	}

	.ock-row[data-sending] ock-item {
		opacity: 0.6;
	}

	ock-ending {
		padding-block-end: calc(4 * var(--ock-space));
	}

	.ock-older {
		text-align: center;
		block-size: 48px;
		display: grid;
		place-items: center;
	}

	.ock-day {
		margin: 0 0 calc(4 * var(--ock-space));
		text-align: center;
		color: var(--ock-text-quiet);
		font-size: 0.8125em;
	}

	.ock-day::first-letter {
		text-transform: uppercase;
	}

	.ock-newest {
		position: absolute;
		inset-block-end: calc(3 * var(--ock-space));
		inset-inline: 0;
		margin-inline: auto;
		inline-size: 40px;
		block-size: 40px;
		padding: 0;
		display: grid;
		place-items: center;
		border: 1px solid var(--ock-border);
		border-radius: 50%;
		background: var(--ock-surface);
		box-shadow: 0 2px 10px rgb(0 0 0 / 0.14);
		cursor: pointer;
		animation: ock-appear 0.15s ease-out;
	}

	.ock-newest[hidden] {
		display: none;
	}

	.ock-newest:hover {
		background: var(--ock-surface-raised);
	}

	ock-transcript .ock-icon {
		inline-size: 1.1em;
		block-size: 1.1em;
		vertical-align: -0.15em;
	}

	.ock-aside {
		display: flex;
		gap: calc(2 * var(--ock-space));
		align-items: center;
		margin: calc(1 * var(--ock-space)) 0;
		color: var(--ock-text-quiet);
		font-size: 0.9375em;
	}

	.ock-mark-icon {
		display: inline-grid;
		place-items: center;
		flex: none;
		min-inline-size: 1.25em;
		block-size: 1.5em;
	}

	.ock-typing {
		margin: calc(2 * var(--ock-space)) 0;
	}

	.ock-dots {
		display: inline-flex;
		gap: 4px;
		flex: none;
	}

	.ock-dots i {
		inline-size: 6px;
		block-size: 6px;
		border-radius: 50%;
		background: var(--ock-text-quiet);
		animation: ock-pulse 1.2s infinite ease-in-out;
	}

	.ock-dots i:nth-child(2) {
		animation-delay: 0.15s;
	}

	.ock-dots i:nth-child(3) {
		animation-delay: 0.3s;
	}

	.ock-notice,
	.ock-error {
		--tone: var(--ock-info);
		display: flex;
		gap: calc(2 * var(--ock-space));
		align-items: start;
		margin-block: calc(2 * var(--ock-space));
		padding: calc(2.5 * var(--ock-space)) calc(3 * var(--ock-space));
		border: 1px solid color-mix(in srgb, var(--tone) 35%, transparent);
		border-radius: var(--ock-radius);
		background: color-mix(in srgb, var(--tone) 7%, transparent);
		overflow-wrap: anywhere;
		animation: ock-appear 0.2s ease-out;
	}

	.ock-notice[data-level="warning"] {
		--tone: var(--ock-warning);
	}

	.ock-notice[data-level="danger"],
	.ock-error {
		--tone: var(--ock-danger);
	}

	.ock-error[data-quiet] {
		--tone: var(--ock-text-quiet);
		color: var(--ock-text-quiet);
		background: none;
		border-color: transparent;
		padding-inline: 0;
	}

	.ock-notice > .ock-mark-icon,
	.ock-error > .ock-mark-icon {
		color: var(--tone);
	}

	.ock-notice-text,
	.ock-error > p {
		flex: 1;
		min-inline-size: 0;
		margin: 0;
	}

	.ock-error {
		flex-wrap: wrap;
		align-items: center;
	}

	.ock-error > p {
		flex-basis: 160px;
	}

	.ock-notice-text > strong {
		display: block;
	}

	.ock-notice-text p {
		margin: 0;
	}

	@keyframes ock-pulse {
		0%,
		60%,
		100% {
			opacity: 0.3;
		}
		30% {
			opacity: 1;
		}
	}

	@keyframes ock-appear {
		from {
			opacity: 0;
		}
	}
`;var cp=A`
	.ock-w-chart {
		display: flex;
		flex-direction: column;
		gap: 8px;
		inline-size: 100%;
		max-inline-size: 100%;
		min-inline-size: 0;
	}

	.ock-w-legend {
		display: flex;
		flex-wrap: wrap;
		gap: 4px 14px;
		padding: 0;
		font-size: 0.8125em;
		list-style: none;
	}

	.ock-w-swatch {
		display: inline-block;
		inline-size: 10px;
		block-size: 10px;
		border-radius: 3px;
		margin-inline-end: 4px;
	}

	.ock-w-swatch[data-type="line"] {
		block-size: 3px;
		vertical-align: middle;
	}

	.ock-w-plot {
		position: relative;
		flex: 1;
		min-block-size: 60px;
		touch-action: pan-y;
	}

	.ock-w-svg {
		position: absolute;
		inset-block-start: 0;
		inset-inline-start: 0;
		overflow: visible;
		direction: ltr; /* the drawing is mirrored where it has to be */
	}

	.ock-w-grid {
		stroke: var(--ock-border);
		stroke-width: 1;
		stroke-dasharray: 2 4;
	}

	.ock-w-grid[data-zero] {
		stroke-dasharray: none;
	}

	.ock-w-tick {
		fill: var(--ock-text-quiet);
		font-size: 11px;
	}

	.ock-w-active {
		fill: color-mix(in srgb, var(--ock-text) 7%, transparent);
	}

	.ock-w-line {
		fill: none;
		stroke-width: 2;
		stroke-linejoin: round;
		stroke-linecap: round;
	}

	.ock-w-area {
		fill-opacity: 0.25;
	}

	.ock-w-tooltip {
		position: absolute;
		inset-block-start: 0;
		display: flex;
		flex-direction: column;
		max-inline-size: 70%;
		padding: 6px 10px;
		border: 1px solid var(--ock-border);
		border-radius: 8px;
		background: var(--ock-surface);
		font-size: 0.8125em;
		pointer-events: none;
	}
`;var lp=A`
	/* Colours of buttons and badges */

	.ock-widget [data-color] {
		--w-tone: var(--ock-text);
		--w-on-tone: var(--ock-surface);
	}

	.ock-widget [data-color="primary"] {
		--w-tone: var(--ock-accent);
		--w-on-tone: var(--ock-accent-text);
	}

	.ock-widget [data-color="success"] {
		--w-tone: var(--ock-success);
	}

	.ock-widget [data-color="danger"] {
		--w-tone: var(--ock-danger);
	}

	.ock-widget :is([data-color="warning"], [data-color="caution"]) {
		--w-tone: var(--ock-warning);
	}

	.ock-widget [data-color="info"] {
		--w-tone: var(--ock-info);
	}

	.ock-widget [data-color="discovery"] {
		--w-tone: var(--ock-discovery);
	}

	/* Sizes of buttons and fields */

	.ock-widget [data-size] {
		--w-size: 36px;
		--w-font: 0.9375em;
	}

	.ock-widget [data-size="3xs"] {
		--w-size: 24px;
		--w-font: 0.75em;
	}

	.ock-widget [data-size="2xs"] {
		--w-size: 26px;
		--w-font: 0.75em;
	}

	.ock-widget [data-size="xs"] {
		--w-size: 28px;
		--w-font: 0.8125em;
	}

	.ock-widget [data-size="sm"] {
		--w-size: 32px;
		--w-font: 0.875em;
	}

	.ock-widget [data-size="lg"] {
		--w-size: 40px;
		--w-font: 1em;
	}

	.ock-widget [data-size="xl"] {
		--w-size: 44px;
		--w-font: 1em;
	}

	.ock-widget [data-size="2xl"] {
		--w-size: 50px;
		--w-font: 1.0625em;
	}

	.ock-widget [data-size="3xl"] {
		--w-size: 56px;
		--w-font: 1.125em;
	}

	.ock-w-button {
		display: inline-flex;
		align-items: center;
		justify-content: center;
		gap: 6px;
		flex: none;
		inline-size: fit-content;
		max-inline-size: 100%;
		min-block-size: var(--w-size);
		padding: 0 calc(var(--w-size) * 0.4);
		border: 1px solid transparent;
		border-radius: 8px;
		background: none;
		color: var(--w-tone);
		font-size: var(--w-font);
		font-weight: 500;
		cursor: pointer;
	}

	.ock-w-button[data-pill] {
		border-radius: var(--ock-radius-control);
	}

	.ock-w-button[data-uniform] {
		inline-size: var(--w-size);
		padding: 0;
	}

	.ock-w-button[data-block] {
		inline-size: 100%;
	}

	.ock-w-button[data-variant="solid"] {
		background: var(--w-tone);
		color: var(--w-on-tone);
	}

	.ock-w-button[data-variant="soft"] {
		background: color-mix(in srgb, var(--w-tone) 10%, var(--ock-surface));
	}

	.ock-w-button[data-variant="outline"] {
		border-color: color-mix(in srgb, var(--w-tone) 35%, var(--ock-surface));
	}

	.ock-w-button[data-variant="solid"]:hover:not(:disabled) {
		background: color-mix(in srgb, var(--w-tone) 88%, var(--ock-surface));
	}

	.ock-w-button[data-variant="soft"]:hover:not(:disabled) {
		background: color-mix(in srgb, var(--w-tone) 16%, var(--ock-surface));
	}

	.ock-w-button:is([data-variant="ghost"], [data-variant="outline"]):hover:not(:disabled) {
		background: color-mix(in srgb, var(--w-tone) 8%, var(--ock-surface));
	}

	.ock-w-button:disabled {
		opacity: 0.5;
		cursor: default;
	}

	.ock-w-button[aria-busy] {
		cursor: progress;
	}

	.ock-w-name {
		min-inline-size: 0;
	}

	.ock-w-spinner {
		inline-size: 1em;
		block-size: 1em;
		border: 2px solid currentColor;
		border-inline-end-color: transparent;
		border-radius: 50%;
		animation: ock-w-turn 700ms linear infinite;
	}

	@keyframes ock-w-turn {
		to {
			transform: rotate(1turn);
		}
	}

	/* Fields */

	.ock-w-label {
		font-weight: 500;
	}

	.ock-w-field {
		inline-size: 100%;
		min-inline-size: 0;
		min-block-size: var(--w-size);
		padding: 4px calc(var(--w-size) / 3);
		border: 1px solid color-mix(in srgb, var(--ock-text) 50%, var(--ock-surface));
		border-radius: 8px;
		background: var(--ock-surface);
		color: var(--ock-text);
		font-size: max(var(--w-font), 16px * var(--w-touch, 0));
	}

	.ock-w-field::placeholder {
		color: var(--ock-text-quiet);
		opacity: 1;
	}

	.ock-w-field:is([data-variant="soft"], [data-variant="solid"]) {
		border-color: transparent;
		background: color-mix(in srgb, var(--ock-text) 8%, var(--ock-surface));
	}

	.ock-w-field[data-variant="solid"] {
		background: color-mix(in srgb, var(--ock-text) 14%, var(--ock-surface));
	}

	.ock-w-field[data-variant="ghost"] {
		border-color: transparent;
		background: none;
	}

	.ock-w-field[data-pill] {
		border-radius: var(--ock-radius-control);
	}

	.ock-w-field:disabled {
		opacity: 0.5;
	}

	textarea.ock-w-field[data-pill] {
		border-radius: calc(var(--w-size) / 2);
	}

	select.ock-w-field:not([data-block]),
	.ock-w-picker:not([data-block]),
	input[type="date"].ock-w-field:not([data-block]) {
		inline-size: fit-content;
		min-inline-size: 144px;
		max-inline-size: 100%;
	}

	textarea.ock-w-field {
		resize: vertical;
		line-height: 1.5;
	}

	textarea[data-grows] {
		field-sizing: content;
		resize: none;
	}

	.ock-w-field[aria-invalid="true"] {
		border-color: var(--ock-danger);
	}

	.ock-w-editable {
		min-inline-size: 4ch;
		inline-size: calc(100% + 14px);
		padding: 2px 6px;
		margin-inline: -7px; /* its text stands where that of others does */
		border: 1px dashed color-mix(in srgb, var(--ock-text) 30%, transparent);
		border-radius: 6px;
		background: none;
		line-height: 1.5;
		overflow-wrap: anywhere;
	}

	.ock-w-editable:is(:hover, :focus) {
		border-style: solid;
	}

	.ock-w-choice {
		display: flex;
		align-items: center;
		gap: 8px;
		inline-size: fit-content;
		min-block-size: 28px;
	}

	.ock-w-choice input {
		flex: none;
		inline-size: 18px;
		block-size: 18px;
		margin: 0;
		accent-color: var(--ock-accent);
	}

	.ock-w-choice:has(:disabled) {
		opacity: 0.5;
	}

	:is(.ock-w-field, .ock-w-choice, .ock-w-radios, .ock-w-picker)[aria-busy] {
		opacity: 0.6;
		cursor: progress;
	}

	.ock-w-radios {
		display: flex;
		flex-direction: column;
		gap: 4px;
	}

	.ock-w-radios[data-direction="row"] {
		flex-flow: row wrap;
		gap: 4px 16px;
	}

	@media (pointer: coarse) {
		.ock-w-button,
		.ock-w-field,
		.ock-w-choice,
		.ock-w-options [role="option"] {
			--w-touch: 1;
			min-block-size: 44px;
		}

		.ock-w-button[data-uniform] {
			min-inline-size: 44px;
		}

		.ock-w-calendar td button,
		.ock-w-clear {
			inline-size: 44px;
			block-size: 44px;
		}
	}
`;var dp=A`
	.ock-w-picker {
		position: relative;
		display: flex;
		align-items: center;
	}

	.ock-w-pick {
		display: flex;
		align-items: center;
		justify-content: space-between;
		gap: 12px;
		text-align: start;
		cursor: pointer;
	}

	.ock-w-pick[data-empty] .ock-w-name {
		color: var(--ock-text-quiet);
	}

	.ock-w-clear {
		display: inline-grid;
		place-items: center;
		flex: none;
		inline-size: 28px;
		block-size: 28px;
		border: 0;
		border-radius: 50%;
		background: none;
		color: var(--ock-text-quiet);
		cursor: pointer;
	}

	.ock-w-popup {
		position: fixed;
		inset: auto;
		margin: 0;
		padding: 6px;
		max-inline-size: min(384px, calc(100vw - 8px));
		border: 1px solid var(--ock-border);
		border-radius: 12px;
		background: var(--ock-surface);
		color: var(--ock-text);
		font-size: 0.9375em;
		box-shadow: 0 6px 24px rgb(0 0 0 / 18%);
	}

	.ock-w-search {
		inline-size: 100%;
		min-block-size: 36px;
		padding: 4px 10px;
		border: 1px solid var(--ock-border);
		border-radius: 8px;
		background: none;
	}

	.ock-w-options [role="listbox"] {
		max-block-size: min(288px, 50vh);
		padding: 4px 0 0;
		overflow-y: auto;
		list-style: none;
	}

	.ock-w-options [role="option"] {
		display: flex;
		flex-direction: column;
		justify-content: center;
		min-block-size: 32px;
		padding: 4px 10px;
		border-radius: 8px;
		cursor: pointer;
	}

	.ock-w-options [role="option"]:is([data-active], :hover) {
		background: var(--ock-surface-raised);
	}

	.ock-w-options [aria-selected="true"] > :first-child {
		font-weight: 600;
	}

	.ock-w-options [aria-disabled] {
		opacity: 0.5;
		cursor: default;
	}

	.ock-w-month {
		display: flex;
		align-items: center;
		justify-content: space-between;
		font-weight: 600;
	}

	.ock-w-month > span {
		flex: 1;
		text-align: center;
	}

	.ock-w-month .ock-button {
		inline-size: 32px;
	}

	.ock-w-calendar th {
		padding: 4px;
		color: var(--ock-text-quiet);
		font-size: 0.8125em;
		font-weight: 400;
	}

	.ock-w-calendar td {
		padding: 1px;
	}

	.ock-w-calendar td button {
		inline-size: 36px;
		block-size: 36px;
		border: 0;
		border-radius: 50%;
		background: none;
		cursor: pointer;
	}

	.ock-w-calendar td button:hover:not(:disabled) {
		background: var(--ock-surface-raised);
	}

	.ock-w-calendar [data-other] {
		color: var(--ock-text-quiet);
	}

	.ock-w-calendar [aria-current] {
		font-weight: 700;
		text-decoration: underline;
	}

	.ock-w-calendar [aria-selected="true"] button {
		background: var(--ock-accent);
		color: var(--ock-accent-text);
	}

	.ock-w-calendar button:disabled {
		opacity: 0.35;
		cursor: default;
	}
`;var pp=A`
	ock-widget {
		display: block;
		min-inline-size: 0;
	}

	/* Nothing that a widget says leaves it; what is around is room for outlines and fields. */
	.ock-widget {
		position: relative;
		contain: paint;
		margin: -4px -8px;
		padding: 4px 8px;
		overflow-wrap: anywhere;
	}

	.ock-widget:focus {
		outline: none;
	}

	.ock-widget [data-scheme] {
		${Pi}
		color: var(--ock-text);
		color-scheme: light;
	}

	.ock-widget [data-scheme="dark"] {
		${zi}
	}

	:host([data-own-accent]) .ock-widget [data-scheme] {
		--ock-accent: inherit;
		--ock-accent-text: inherit;
		--ock-link: inherit;
	}

	.ock-w-box[data-type="basic"][data-scheme] {
		background: var(--ock-surface);
	}

	.ock-widget[aria-busy] > :first-child,
	.ock-w-box[aria-busy],
	.ock-w-item[aria-busy] {
		opacity: 0.6;
		pointer-events: none;
	}

	.ock-widget :is(p, ul) {
		margin: 0;
	}

	/* Cards and lists */

	.ock-w-card {
		--w-inline: calc(var(--ock-space) * 4);
		display: flex;
		flex-direction: column;
		gap: calc(var(--ock-space) * 3);
		max-inline-size: 512px;
		padding-block: var(--w-block-start, var(--w-inline)) var(--w-block-end, var(--w-inline));
		padding-inline: var(--w-inline-start, var(--w-inline)) var(--w-inline-end, var(--w-inline));
		border: 1px solid var(--ock-border);
		border-radius: min(var(--ock-radius), 16px);
		background: var(--ock-surface);
		overflow: hidden;
	}

	.ock-w-card[data-size="sm"] {
		max-inline-size: 352px;
	}

	.ock-w-card[data-size="lg"] {
		max-inline-size: 672px;
	}

	.ock-w-card[data-size="full"] {
		max-inline-size: none;
	}

	.ock-w-body {
		display: flex;
		flex-direction: column;
		gap: calc(var(--ock-space) * 3);
		min-inline-size: 0;
	}

	.ock-w-status {
		display: flex;
		align-items: center;
		gap: 6px;
		color: var(--ock-text-quiet);
		font-size: 0.875em;
	}

	.ock-w-status img {
		inline-size: 16px;
		block-size: 16px;
		object-fit: contain;
	}

	.ock-w-status img[data-frame] {
		inline-size: 22px;
		block-size: 22px;
		padding: 2px;
		border: 1px solid var(--ock-border);
		border-radius: 6px;
		background: #fff;
	}

	.ock-w-buttons {
		display: flex;
		flex-wrap: wrap;
		justify-content: flex-end;
		gap: 8px;
	}

	.ock-w-list {
		gap: 0;
		padding: 0;
	}

	.ock-w-list > .ock-w-status {
		padding: 12px var(--w-inline) 4px;
	}

	.ock-w-list ul {
		padding: 0;
		list-style: none;
	}

	.ock-w-item {
		position: relative;
		padding: 10px var(--w-inline);
	}

	.ock-w-item + .ock-w-item {
		border-block-start: 1px solid var(--ock-border);
	}

	.ock-w-item[data-acts] {
		cursor: pointer;
	}

	.ock-w-item[data-acts]:hover {
		background: var(--ock-surface-raised);
	}

	.ock-w-cover {
		position: absolute;
		inset: 0;
		border: 0;
		background: none;
	}

	.ock-w-cover:focus-visible,
	.ock-w-more:focus-visible,
	.ock-w-item:focus-visible {
		outline-offset: -2px;
	}

	.ock-w-row {
		display: flex;
		align-items: center;
		gap: calc(var(--ock-space) * 3);
		min-inline-size: 0;
	}

	.ock-w-item[data-acts] .ock-w-row {
		position: relative;
		pointer-events: none;
	}

	.ock-w-item[data-acts] .ock-w-row :is(p, span, img, button, input, select, textarea, a, label) {
		pointer-events: auto;
	}

	.ock-w-more {
		align-self: stretch;
		min-block-size: 44px;
		margin-block: 0 calc(-1 * var(--w-block-end, var(--w-inline)));
		margin-inline: calc(-1 * var(--w-inline-start, var(--w-inline)))
			calc(-1 * var(--w-inline-end, var(--w-inline)));
		border: 0;
		border-block-start: 1px solid var(--ock-border);
		background: none;
		color: var(--ock-text-quiet);
		cursor: pointer;
	}

	.ock-w-list > .ock-w-more {
		margin: 0;
	}

	.ock-w-more:hover {
		background: var(--ock-surface-raised);
	}

	/* Layout */

	.ock-w-box {
		display: flex;
		min-inline-size: 0;
		max-inline-size: 100%;
	}

	.ock-w-box[data-type="row"] {
		align-items: center;
	}

	.ock-w-box:is([data-type="row"], [data-type="col"], [data-type="basic"]) {
		gap: calc(var(--ock-space) * 2);
	}

	.ock-w-box[data-type="form"] {
		gap: calc(var(--ock-space) * 3);
	}

	.ock-w-spacer {
		flex: 1 0 0;
	}

	.ock-w-divider {
		flex: none;
		align-self: stretch;
		inline-size: auto;
		block-size: var(--w-line, 1px);
		margin-block: var(--w-around, 0);
		margin-inline: 0;
		border: 0;
		background: var(--w-color, var(--ock-border));
	}

	.ock-w-divider[data-flush] {
		margin-inline: calc(-1 * var(--w-inline-start, var(--w-inline, 0px)))
			calc(-1 * var(--w-inline-end, var(--w-inline, 0px)));
	}

	[data-way="row"] > .ock-w-divider {
		inline-size: var(--w-line, 1px);
		block-size: auto;
		margin-block: 0;
		margin-inline: var(--w-around, 0);
	}

	.ock-w-transition,
	.ock-w-appear {
		min-inline-size: 0;
	}

	.ock-w-appear {
		animation: ock-appear 250ms ease-out;
	}

	.ock-w-scroll {
		overflow-x: auto;
	}

	.ock-w-table {
		inline-size: 100%;
		border-collapse: collapse;
	}

	.ock-w-table :is(td, th) {
		padding: 6px 10px;
		border-block-end: 1px solid var(--ock-border);
		font-weight: inherit;
	}

	.ock-w-table tr:last-child > td {
		border-block-end: 0;
	}

	.ock-w-table tr[data-header] {
		font-weight: 600;
		color: var(--ock-text-quiet);
	}

	/* Texts, badges, icons, pictures */

	.ock-w-text {
		min-inline-size: 0;
		white-space: pre-wrap;
	}

	.ock-w-title {
		min-inline-size: 0;
		font-weight: 600;
		line-height: 1.25;
	}

	.ock-w-caption {
		min-inline-size: 0;
		color: var(--ock-text-quiet);
		font-size: 0.8125em;
	}

	.ock-w-markdown {
		min-inline-size: 0;
	}

	[data-clamp] {
		display: -webkit-box;
		overflow: hidden;
		-webkit-box-orient: vertical;
	}

	.ock-w-icon {
		display: inline-grid;
		flex: none;
	}

	.ock-w-badge {
		flex: none;
		display: inline-block;
		inline-size: fit-content;
		max-inline-size: 100%;
		padding: 1px 8px;
		border: 1px solid transparent;
		border-radius: 6px;
		font-size: 0.75em;
		font-weight: 500;
		color: var(--w-tone);
		background: color-mix(in srgb, var(--w-tone) 10%, var(--ock-surface));
	}

	.ock-w-badge[data-pill] {
		border-radius: 999px;
	}

	.ock-w-badge[data-size="md"] {
		font-size: 0.8125em;
	}

	.ock-w-badge[data-size="lg"] {
		padding: 2px 10px;
		font-size: 0.9375em;
	}

	.ock-w-badge[data-variant="solid"] {
		background: var(--w-tone);
		color: var(--w-on-tone);
	}

	.ock-w-badge[data-variant="outline"] {
		border-color: currentColor;
		background: none;
	}

	.ock-w-image {
		flex: none;
		inline-size: fit-content;
		max-inline-size: 100%;
		block-size: auto;
		border-radius: 8px;
	}

	.ock-w-image[data-frame] {
		border: 1px solid var(--ock-border);
	}

	.ock-w-image[data-flush] {
		inline-size: auto;
		max-inline-size: none;
		margin-inline: calc(-1 * var(--w-inline-start, var(--w-inline, 0px)))
			calc(-1 * var(--w-inline-end, var(--w-inline, 0px)));
		border-radius: 0;
	}

	.ock-w-body > .ock-w-image[data-flush]:first-child {
		margin-block-start: calc(-1 * var(--w-block-start, var(--w-inline, 0px)));
	}

	.ock-w-status + .ock-w-body > .ock-w-image[data-flush]:first-child {
		margin-block-start: 0;
	}

	.ock-w-link {
		color: var(--ock-link);
	}

	.ock-w-problem {
		color: var(--ock-danger);
		font-size: 0.875em;
	}

	:is(.ock-w-box, .ock-w-body) > .ock-w-problem {
		margin-block-start: -6px;
	}

	.ock-widget > .ock-w-problem {
		margin-block-start: 8px;
	}
`;var up=[Zd,tp,ap,op,sp,pp,cp,lp,dp,Yd,Xd,Jd];var ve=class extends ns{constructor(){super();this.controller=new Ri((e,i)=>this.tell(e,i));this.theme=new Nr(this);this.given=null;this.taken=null;this.ready=new Promise(e=>{this.setReady=e}),this.controller.subscribe("options",()=>this.requestUpdate()),this.takeProperty("options")}static{this.styles=up}static{this.family="open-chatkit"}connectedCallback(){super.connectedCallback(),this.theme.connect(),this.controller.reconnect()}disconnectedCallback(){super.disconnectedCallback(),this.theme.disconnect(),this.controller.disconnect()}get options(){return this.given}set options(e){e&&this.setOptions(e)}setOptions(e){let{wrong:i,unknown:n}=Qd(e);if(i.length){this.refuse(i);return}let o=!this.given;if(this.given=e,!es(e,this.taken)){this.taken=Oi(e);for(let s of n)console.warn(`open-chatkit: ${s}`);this.controller.configure(e),this.theme.set(e.theme),this.requestUpdate(),o&&this.start(e.initialThread??null)}}async focusComposer(){await this.ready,this.controller.composer?.focus()}async setThreadId(e){await this.ready,await this.controller.open(e||null)}async sendCustomAction(e,i){await this.ready;let o=(i?this.controller.conversation.get(i):void 0)??(i?{id:i}:void 0);await this.controller.act(e,o)}async sendUserMessage(e){let i=Ak(e),{toolChoice:n,model:o,attachments:s,reply:a,newThread:c}=e;await this.ready,await this.controller.send({content:i,attachments:s??[],quotedText:a??null,inferenceOptions:{...n?{tool_choice:n}:{},...o?{model:o}:{}},newThread:c??!1})}async setComposerValue(e){await this.ready,await this.updateComplete,await this.controller.composer?.set(e)}async showHistory(){await this.ready,this.controller.showHistory()}async hideHistory(){await this.ready,this.controller.hideHistory()}async fetchUpdates(){await this.ready,await this.controller.fetchUpdates()}async getUpdateComplete(){let e=await super.getUpdateComplete();return await this.renderRoot.querySelector("ock-shell")?.updateComplete,e}render(){if(!this.given)return null;let{words:e}=this.controller;return l`<ock-shell .chat=${this.controller} lang=${e.language} dir=${e.direction}
			aria-label=${this.given.frameTitle??e.text("chat.title")} role="region"></ock-shell>`}async start(e){this.requestUpdate(),await this.updateComplete,this.setReady(),await Ck(),this.tell("chatkit.ready"),e&&await this.controller.open(e).catch(()=>{})}takeProperty(e){if(!Object.hasOwn(this,e))return;let i=this[e];delete this[e],this[e]=i}refuse(e){let i=new TypeError(`open-chatkit: ${e.join("; ")}`);console.error(i.message),this.tell("chatkit.error",{error:i})}tell(e,i){this.dispatchEvent(new CustomEvent(e,{detail:i}))}};function Ck(){return new Promise(r=>{requestAnimationFrame(()=>setTimeout(r)),setTimeout(r,100)})}function Ak(r){let{text:t,content:e,attachments:i}=r??{};if(!t&&!e?.length&&!i?.length)throw new TypeError("open-chatkit: sendUserMessage needs `text`, `content` or `attachments`");return e??(t?[{type:"input_text",text:t}]:[])}function Rk(r){let t=customElements.get(r);t?t.family!==ve.family&&console.warn(`open-chatkit: <${r}> is another element already, of a script that was first`):customElements.define(r,class extends ve{})}customElements.get("open-chatkit")||customElements.define("open-chatkit",ve);for(let r of new URL(import.meta.url).searchParams.getAll("register"))Rk(r);export{ve as OpenChatKit,Rk as register};
